//! What somebody may lead us to who names a URL to us: addresses that are not the world's, names that change their
//! mind, servers that lead elsewhere or come to no end.

use std::{
    collections::VecDeque,
    future,
    io::{Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Hosts, as they may stand in a URL, that are not globally routable.
pub(crate) const NOT_GLOBAL: &[&str] = &[
    // This machine, in every spelling.
    "0.0.0.0",
    "0.1.2.3",
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f.1",
    "0177.0.0.1",
    "[::]",
    "[::1]",
    // Networks of one's own.
    "10.1.2.3",
    "100.64.0.1",
    "100.127.255.255",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "[fc00::1]",
    "[fd12::1]",
    "[fec0::1]",
    // Where machines in a cloud find what nobody else should see.
    "169.254.169.254",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "[fd00:ec2::254]",
    "[fe80::1]",
    // An IPv4 address in an IPv6 address: mapped, compatible, NAT64, Teredo, 6to4.
    "[::ffff:127.0.0.1]",
    "[::ffff:169.254.169.254]",
    "[::ffff:8.8.8.8]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b::a00:1]",
    "[64:ff9b::169.254.169.254]",
    "[64:ff9b:1::1]",
    "[2001::1]",
    "[2002:7f00:1::]",
    "[2002:808:808::]",
    // Documentation, tests, what is reserved, and many at once.
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.9",
    "240.0.0.1",
    "255.255.255.255",
    "[100::1]",
    "[2001:db8::1]",
    "[3fff::1]",
    "[5f00::1]",
    "224.0.0.1",
    "239.1.1.1",
    "[ff02::1]",
];

/// A path at a host, as it is written by whoever writes it as it should be.
pub(crate) fn url(host: &str, path: &str) -> Url {
    Url::parse(&format!("https://{host}{path}")).unwrap()
}

/// The address that a host of [`NOT_GLOBAL`] is.
pub(crate) fn address(host: &str) -> IpAddr {
    match url(host, "/").host().unwrap() {
        Host::Ipv4(address) => address.into(),
        Host::Ipv6(address) => address.into(),
        Host::Domain(name) => panic!("{name} is no address"),
    }
}

/// A name server of a stranger: an answer for each question, the last one again and again.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    answers: Arc<Mutex<VecDeque<Vec<SocketAddr>>>>,
    asked: Arc<AtomicUsize>,
}

impl Names {
    pub(crate) fn new(answers: &[&[SocketAddr]]) -> Self {
        let answers = answers.iter().map(|answer| answer.to_vec()).collect();
        Self { answers: Arc::new(Mutex::new(answers)), asked: Arc::default() }
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Resolve for Names {
    fn resolve(&self, _name: Name) -> Resolving {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap();
        let last = answers.len() < 2;
        let answer = if last { answers.front().cloned() } else { answers.pop_front() };
        let answer: Addrs = Box::new(answer.unwrap().into_iter());
        Box::pin(future::ready(Ok(answer)))
    }
}

/// What a server of a stranger answers to everything.
#[derive(Clone, Debug)]
pub(crate) enum Manner {
    /// This, and then nothing any more, while the connection stays.
    Says(String),
    /// The first, and then the other without end.
    Endless(&'static str, &'static str),
}

/// A server of a stranger, on this machine.
#[derive(Debug)]
pub(crate) struct Stranger {
    pub(crate) address: SocketAddr,
    met: Arc<AtomicUsize>,
}

impl Stranger {
    pub(crate) fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let met: Arc<AtomicUsize> = Arc::default();
        let counted = met.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                counted.fetch_add(1, Ordering::SeqCst);
                let manner = manner.clone();
                thread::spawn(move || answer(stream.unwrap(), &manner));
            }
        });
        Self { address, met }
    }

    /// One that nobody should come to.
    pub(crate) fn forbidden() -> Self {
        Self::start(Manner::Says("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned()))
    }

    /// One that leads everybody to another.
    pub(crate) fn leading(status: u16, to: &Self) -> Self {
        let head = format!("HTTP/1.1 {status} Elsewhere\r\nlocation: http://{}/\r\n", to.address);
        Self::start(Manner::Says(format!("{head}content-length: 0\r\n\r\n")))
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many connections were made to it.
    pub(crate) fn met(&self) -> usize {
        self.met.load(Ordering::SeqCst)
    }
}

/// Until the other side has had enough.
fn answer(mut stream: TcpStream, manner: &Manner) {
    while asked(&mut stream) {
        let said = match manner {
            Manner::Says(text) => stream.write_all(text.as_bytes()),
            Manner::Endless(first, more) => {
                let mut said = stream.write_all(first.as_bytes());
                while said.is_ok() {
                    said = stream.write_all(more.as_bytes());
                }
                said
            }
        };
        if said.is_err() {
            return;
        }
    }
}

/// Waits for a request; a body that comes later is none.
fn asked(stream: &mut TcpStream) -> bool {
    let (mut request, mut part) = (Vec::new(), [0; 1024]);
    while !request.windows(4).any(|four| four == b"\r\n\r\n") {
        match stream.read(&mut part) {
            Ok(read @ 1..) => request.extend_from_slice(&part[..read]),
            Ok(0) | Err(_) => return false,
        }
    }
    true
}

/// Answers that do not come in time.
pub(crate) fn slow() -> [Manner; 4] {
    let says = |text: &str| Manner::Says(text.to_owned());
    [
        says(""),
        says("HTTP/1.1 200 OK\r\ncontent-ty"),
        says("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{"),
        Manner::Endless("", "HTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n"),
    ]
}

/// Answers that have no end.
pub(crate) fn huge() -> [Manner; 3] {
    [
        Manner::Endless(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
            "40\r\n                                                                \r\n",
        ),
        Manner::Endless(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1099511627776\r\n\r\n",
            "                                                                ",
        ),
        Manner::Endless(
            "HTTP/1.1 200 OK\r\n",
            "x-more: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n",
        ),
    ]
}
