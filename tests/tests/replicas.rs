//! Several authsvc on one PostgreSQL are one authorization server and one store of events; on one file of SQLite they
//! do not harm each other.

use std::{collections::BTreeSet, net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, ensure};
use attache_tests::{
    events::send,
    http,
    mcp::Mcp,
    oauth::{self, OAuth, REDIRECT_URI, VERIFIER},
    person::Person,
    stack::{
        PASSWORD, Setup, Stack, WEBHOOK_SECRET, eventually, fresh_folder,
        postgres::{self, Postgres},
        replicas::{Balancer, Replica},
    },
    upstream::{Answer, Upstream, mcp},
};
use serde_json::{Value, json};

/// Envoy, and three authsvc that it reaches in turn: one is the stack's own.
struct Three {
    stack: Stack,
    second: Replica,
    third: Replica,
    logs: PathBuf,
    _balancers: [Balancer; 2],
    _postgres: Postgres,
}

impl Three {
    /// All of them start at the same time on an empty database, each with another way to it.
    async fn start(mut setup: Setup) -> Result<Self> {
        let postgres = Postgres::start()?;
        let folder = fresh_folder(None)?;
        let mut second =
            Replica::start(&setup, &postgres.by_tcp("verify-full"), &folder, "second")?;
        let mut third = Replica::start(&setup, &postgres.by_tcp("require"), &folder, "third")?;
        let first = |key: &str| -> Result<SocketAddr> {
            Ok(setup.config["service"][key].as_str().context("no address")?.parse()?)
        };
        let public = vec![first("listen")?, second.public, third.public];
        let internal = vec![first("internal")?, second.internal, third.internal];
        let balancers = [Balancer::start(public).await?, Balancer::start(internal).await?];
        let [public, internal] = balancers.each_ref().map(Balancer::address);
        setup.config["service"]["address"] = json!(public);
        setup.config["service"]["internal_address"] = json!(internal);
        setup.config["database"] = json!(postgres.by_socket());
        let stack = setup.start().await?;
        second.ready().await?;
        third.ready().await?;
        Ok(Self { stack, second, third, logs: folder, _balancers: balancers, _postgres: postgres })
    }

    /// Base URLs of the public listeners.
    fn public(&self) -> [String; 3] {
        let first = self.stack.config("/service/listen").to_owned();
        [first, self.second.public.to_string(), self.third.public.to_string()]
            .map(|address| format!("http://{address}"))
    }

    /// Asks the token endpoint of each at the same time.
    async fn token(&self, form: &[(&str, &str)]) -> Result<Vec<(u16, Value)>> {
        let [first, second, third] = self.public();
        let (first, second, third) =
            tokio::try_join!(token(&first, form), token(&second, form), token(&third, form))?;
        Ok(vec![first, second, third])
    }
}

async fn token(at: &str, form: &[(&str, &str)]) -> Result<(u16, Value)> {
    let answer = http::client().post(format!("{at}/oauth/token")).form(form).send().await?;
    Ok((answer.status().as_u16(), answer.json().await?))
}

#[tokio::test]
async fn a_client_may_hop_between_replicas_at_every_step() -> Result<()> {
    let server = Upstream::start(mcp::echo).await?;
    let three = Three::start(Setup::new().server("everything", &server.url("/mcp"))).await?;
    let url = three.stack.url("everything");

    let mut published = BTreeSet::new();
    for at in three.public() {
        let jwks = http::client().get(format!("{at}/oauth/jwks.json")).send().await?;
        published.insert(jwks.text().await?);
    }
    assert_eq!(published.len(), 1, "each has made a key of its own: {published:?}");

    // Discovery, registration, each page of the login and the token request: each at the next replica.
    for _ in 0..3 {
        let (client, tokens) = oauth::connect(&url).await?;
        Mcp::initialized(&url, &tokens.access).await?;
        let refresh = tokens.refresh.context("no refresh token")?;
        let tokens = client.refresh(&refresh).await?;
        Mcp::initialized(&url, &tokens.access).await?;
    }
    for log in ["second.log", "third.log"] {
        let log = std::fs::read_to_string(three.logs.join(log))?;
        assert!(!log.contains(postgres::PASSWORD), "the password is in the log: {log}");
    }
    Ok(())
}

#[tokio::test]
async fn several_that_start_at_once_on_an_empty_file_make_one_database() -> Result<()> {
    let setup = Setup::new().server("everything", "http://127.0.0.1:9/mcp");
    let folder = fresh_folder(None)?;
    let database = format!("sqlite://{}", folder.join("attache.db").display());
    let start = |number| Replica::start(&setup, &database, &folder, &format!("{number}"));
    let mut all = (0..6).map(start).collect::<Result<Vec<_>>>()?;
    let mut published = BTreeSet::new();
    for replica in &mut all {
        replica.ready().await?;
        let url = format!("http://{}/oauth/jwks.json", replica.public);
        published.insert(http::client().get(url).send().await?.text().await?);
        let log = std::fs::read_to_string(replica.process.log())?;
        assert!(!log.contains("ERROR"), "{log}");
    }
    assert_eq!(published.len(), 1, "each has made a key of its own: {published:?}");
    Ok(())
}

#[tokio::test]
async fn a_user_who_is_disabled_is_out_at_every_replica_at_once() -> Result<()> {
    const EMAIL: &str = "second@example.com";
    let server = Upstream::start(mcp::echo).await?;
    let three = Three::start(Setup::new().server("everything", &server.url("/mcp"))).await?;
    three.stack.operate(&["user", "add", EMAIL], PASSWORD)?;
    let client = OAuth::register(&three.stack.url("everything")).await?;
    let mut person = Person::new(EMAIL, PASSWORD);
    let code = client.authorize(&mut person, "mcp offline_access").await?;
    let refresh = client.exchange(&code).await?.refresh.context("no refresh token")?;
    let code = client.authorize(&mut person, "mcp offline_access").await?;

    let said = three.stack.operate(&["user", "disable", EMAIL], "")?;
    ensure!(said.contains("and 1 grants;"), "{said}");
    for (status, answer) in three.token(&refreshing(&client, &refresh)).await? {
        ensure!(status == 400 && answer["error"] == "invalid_grant", "{status} {answer}");
    }
    ensure!(client.exchange(&code).await.is_err(), "a code of a disabled user is good");
    let again = client.authorize(&mut person, "mcp").await.err().context("they log in")?;
    ensure!(format!("{again:#}").contains("401"), "{again:#}");
    Ok(())
}

#[tokio::test]
async fn of_requests_at_the_same_time_at_several_replicas_one_is_the_first() -> Result<()> {
    let server = Upstream::start(mcp::echo).await?;
    let three = Three::start(Setup::new().server("everything", &server.url("/mcp"))).await?;
    let url = three.stack.url("everything");
    let client = OAuth::register(&url).await?;
    let mut person = Person::admin();
    for _ in 0..3 {
        let code = client.authorize(&mut person, "mcp offline_access").await?;
        let tokens = client.exchange(&code).await?;
        let refresh = tokens.refresh.context("no refresh token")?;
        let refreshed = three.token(&refreshing(&client, &refresh)).await?;
        let mut next = BTreeSet::new();
        for (status, answer) in &refreshed {
            assert_eq!(*status, 200, "within the grace each caller gets live tokens: {answer}");
            let access = answer["access_token"].as_str().context("no access token")?;
            Mcp::initialized(&url, access).await?;
            next.insert(answer["refresh_token"].as_str().context("no refresh token")?.to_owned());
        }
        assert_eq!(next.len(), 3);
        for refresh in &next {
            client.refresh(refresh).await.context("a successor is not known everywhere")?;
        }

        let code = client.authorize(&mut person, "mcp offline_access").await?;
        let exchanged = three
            .token(&[
                ("grant_type", "authorization_code"),
                ("code", &code),
                ("redirect_uri", REDIRECT_URI),
                ("client_id", &client.client_id),
                ("code_verifier", VERIFIER),
            ])
            .await?;
        let (given, refused): (Vec<_>, Vec<_>) =
            exchanged.into_iter().partition(|(status, _)| *status == 200);
        assert_eq!(given.len(), 1, "{given:?} {refused:?}");
        assert!(
            refused.iter().all(|(_, answer)| answer["error"] == "invalid_grant"),
            "{refused:?}"
        );
        let stolen = given[0].1["refresh_token"].as_str().context("no refresh token")?;
        for (_, answer) in three.token(&refreshing(&client, stolen)).await? {
            assert_eq!(answer["error"], "invalid_grant", "a code that came twice ends its grant");
        }
    }
    Ok(())
}

fn refreshing<'a>(client: &'a OAuth, refresh: &'a str) -> [(&'a str, &'a str); 3] {
    let id = ("client_id", client.client_id.as_str());
    [("grant_type", "refresh_token"), ("refresh_token", refresh), id]
}

/// The ids of the events, as a reader sees them that asks one replica again and again for what is new: until there
/// are enough or, when nobody says how many that is, there is nothing new.
async fn follow(replica: &Replica, enough: Option<usize>) -> Result<Vec<String>> {
    let (mut after, mut ids) = (0, Vec::new());
    loop {
        let listing = replica.listing(after).await?;
        let next = listing["next"].as_i64().context("no cursor")?;
        ensure!(next >= after, "the cursor went back from {after} to {next}");
        for row in listing["events"].as_array().context("no events")? {
            ids.push(row["event"]["id"].as_str().context("no id")?.to_owned());
        }
        if enough.map_or(next == after, |enough| ids.len() >= enough) {
            return Ok(ids);
        }
        after = next;
    }
}

#[tokio::test]
async fn events_come_in_anywhere_and_go_out_once() -> Result<()> {
    const EACH: u32 = 30;
    let receiver = Upstream::start(|_| Answer::status(204)).await?;
    let server = Upstream::start(mcp::echo).await?;
    let setup = Setup::new().server("everything", &server.url("/mcp"));
    let setup = setup.webhook(&receiver.url("/hook"), WEBHOOK_SECRET);
    let three = Three::start(setup).await?;
    let total = 3 * 10 * EACH as usize;
    let first = three.stack.internal_url();
    let (second, third) = (three.second.internal, three.third.internal);
    let following = async {
        let limit = Duration::from_secs(60);
        tokio::time::timeout(limit, follow(&three.second, Some(total)))
            .await
            .context("one was missed")?
    };
    let (one, two, other, followed) = tokio::join!(
        send(first, 1, EACH),
        send(format!("http://{second}"), 2, EACH),
        send(format!("http://{third}"), 3, EACH),
        following,
    );
    let sent: BTreeSet<String> = [one, two, other].concat().into_iter().collect();
    let followed = followed?;
    assert_eq!(sent.len(), total);
    assert_eq!(followed.len(), total, "one came twice");
    assert_eq!(followed.into_iter().collect::<BTreeSet<_>>(), sent);

    let delivered = eventually(Duration::from_secs(30), async || {
        let ids: Vec<_> = receiver.seen().iter().map(delivery).collect();
        (ids.len() >= total).then_some(ids).context("not all are delivered")
    })
    .await?;
    let expected: BTreeSet<String> = sent.iter().map(|id| format!("evt_{id}")).collect();
    assert_eq!(delivered.len(), total, "one was delivered twice");
    assert_eq!(delivered.into_iter().collect::<BTreeSet<_>>(), expected);
    Ok(())
}

fn delivery(request: &attache_tests::upstream::Seen) -> String {
    request.header("webhook-id").unwrap_or_default().to_owned()
}

#[tokio::test]
async fn what_a_replica_has_answered_outlives_it() -> Result<()> {
    let receiver = Upstream::start(|_| Answer::status(204)).await?;
    let server = Upstream::start(mcp::echo).await?;
    let setup = Setup::new().server("everything", &server.url("/mcp"));
    let setup = setup.webhook(&receiver.url("/hook"), WEBHOOK_SECRET);
    let three = Three::start(setup).await?;
    let url = three.stack.url("everything");
    let client = OAuth::register(&url).await?;
    let mut person = Person::admin();
    let code = client.authorize(&mut person, "mcp offline_access").await?;
    let exchange = client.exchange(&code).await?.refresh.context("no refresh token")?;

    let [first, second, third] = three.public();
    let form = refreshing(&client, &exchange);
    let (status, answer) = token(&third, &form).await?;
    assert_eq!(status, 200, "{answer}");
    let sending = tokio::spawn(send(format!("http://{}", three.third.internal), 3, u32::MAX));
    let Three { stack, second: survivor, third: mut victim, _balancers, _postgres, .. } = three;
    eventually(Duration::from_secs(30), async || {
        let next = survivor.listing(0).await?["next"].as_i64();
        next.filter(|next| *next > 100).context("nothing comes in")
    })
    .await?;
    victim.process.kill()?;
    let answered = sending.await?;
    assert!(!answered.is_empty());

    let next = answer["refresh_token"].as_str().context("no refresh token")?;
    for at in [&first, &second] {
        let (status, answer) = token(at, &refreshing(&client, next)).await?;
        assert_eq!(status, 200, "what the third gave out is not known: {answer}");
    }
    let (_, tokens) = oauth::connect(&url).await?;
    Mcp::initialized(&url, &tokens.access).await?;

    let stored: BTreeSet<String> = follow(&survivor, None).await?.into_iter().collect();
    let lost: Vec<&String> = answered.iter().filter(|id| !stored.contains(*id)).collect();
    assert!(lost.is_empty(), "answered with 202, and lost: {lost:?}");
    // Four attempts at most were under way; their leases end later.
    eventually(Duration::from_secs(60), async || {
        let delivered: BTreeSet<String> = receiver.seen().iter().map(delivery).collect();
        let missing =
            answered.iter().filter(|id| !delivered.contains(&format!("evt_{id}"))).count();
        ensure!(missing <= 4, "{missing} are not delivered");
        Ok(())
    })
    .await?;
    drop(stack);
    Ok(())
}
