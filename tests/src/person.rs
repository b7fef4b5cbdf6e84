//! A person at a browser without scripts: follows redirects, keeps cookies, fills in forms.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::{Client, Response, header};
use url::{Origin, Url};

use crate::{http, stack};

/// Pages and redirects that one authorization may take before something goes round in circles.
const PAGES: usize = 25;

/// Somebody who can log in.
#[derive(Clone, Debug)]
pub struct Person {
    http: Client,
    email: String,
    password: String,
    /// Where they go on besides the origin at which they began.
    origins: Vec<Origin>,
    /// What they choose where a page has no form but links.
    link: Option<String>,
    /// Whether they pass over the buttons that lead to providers.
    stays: bool,
    /// What their answer is worth where a page has a form with it: a no, instead of the first button.
    refusal: Option<String>,
    /// By origin, then name.
    cookies: BTreeMap<(String, String), String>,
    /// Every URL that was opened, forms that were sent included, oldest first.
    pub visited: Vec<Url>,
    /// Every page shown, oldest first.
    pub pages: Vec<String>,
    /// Every value of a cookie that was set, oldest first.
    pub set: Vec<String>,
}

/// Where a way ends.
enum End {
    /// At another origin, to which they do not go.
    Elsewhere(Url),
    /// At a page.
    Page(String),
}

impl Person {
    /// The user of the tests' configuration.
    #[must_use]
    pub fn admin() -> Self {
        Self::new(stack::EMAIL, stack::PASSWORD)
    }

    /// Somebody, in a browser that has never been here.
    #[must_use]
    pub fn new(email: &str, password: &str) -> Self {
        Self {
            http: http::client(),
            email: email.to_owned(),
            password: password.to_owned(),
            origins: Vec::new(),
            link: None,
            stays: false,
            refusal: None,
            visited: Vec::new(),
            cookies: BTreeMap::new(),
            pages: Vec::new(),
            set: Vec::new(),
        }
    }

    /// The same, who goes on at the origin of this URL, too: a provider that logs people in.
    ///
    /// # Panics
    /// When it is no URL.
    #[must_use]
    pub fn at(mut self, url: &str) -> Self {
        self.origins.push(Url::parse(url).expect("a URL").origin());
        self
    }

    /// The same, who follows the first link with this in its target where a page has no form.
    #[must_use]
    pub fn choosing(mut self, link: &str) -> Self {
        self.link = Some(link.to_owned());
        self
    }

    /// The same, who logs in here with a password although a provider could be asked.
    #[must_use]
    pub fn without_provider(mut self) -> Self {
        self.stays = true;
        self
    }

    /// The same, who says no by this value where it can be said.
    #[must_use]
    pub fn refusing(mut self, value: &str) -> Self {
        self.refusal = Some(value.to_owned());
        self
    }

    /// The same, who says yes again.
    #[must_use]
    pub fn agreeing(mut self) -> Self {
        self.refusal = None;
        self
    }

    /// Opens an authorization URL, logs in and consents where asked; where the browser is sent in the end.
    ///
    /// # Errors
    /// When a page is none that a person could go on from.
    pub async fn authorize(&mut self, url: &Url) -> Result<Url> {
        match self.walk(url, None).await? {
            End::Elsewhere(url) => Ok(url),
            End::Page(page) => bail!("no end at a page:\n{page}"),
        }
    }

    /// Opens a URL and logs in where asked, until a page has this in it: that page.
    ///
    /// # Errors
    /// When there is none.
    pub async fn reach(&mut self, url: &Url, mark: &str) -> Result<String> {
        match self.walk(url, Some(mark)).await? {
            End::Elsewhere(url) => bail!("away to {url}"),
            End::Page(page) => Ok(page),
        }
    }

    async fn walk(&mut self, url: &Url, mark: Option<&str>) -> Result<End> {
        let origin = url.origin();
        let mut answer = self.get(url).await?;
        for _ in 0..PAGES {
            let here = answer.url().clone();
            if answer.status().is_redirection() {
                let location = answer.headers().get(header::LOCATION).context("no Location")?;
                let next = here.join(location.to_str()?)?;
                if next.origin() != origin && !self.origins.contains(&next.origin()) {
                    return Ok(End::Elsewhere(next));
                }
                answer = self.get(&next).await?;
                continue;
            }
            let status = answer.status();
            let page = answer.text().await?;
            self.pages.push(page.clone());
            ensure!(status == 200, "{here}: {status} {page}");
            if mark.is_some_and(|mark| page.contains(mark)) {
                return Ok(End::Page(page));
            }
            answer = match (self.form(&page), self.chosen(&page)) {
                (Some(form), _) => self.submit(&here, form).await?,
                (None, Some(link)) => self.get(&here.join(&link)?).await?,
                (None, None) => bail!("no form at {here}:\n{page}"),
            };
        }
        bail!(
            "no end after {PAGES} pages; the last:\n{}",
            self.pages.last().map_or("", String::as_str)
        )
    }

    /// Opens a page, and stays there; where it is.
    ///
    /// # Errors
    /// When there is no end of redirects.
    pub async fn open(&mut self, url: &Url) -> Result<Url> {
        let mut answer = self.get(url).await?;
        for _ in 0..PAGES {
            if !answer.status().is_redirection() {
                return Ok(answer.url().clone());
            }
            let location = answer.headers().get(header::LOCATION).context("no Location")?;
            let next = answer.url().join(location.to_str()?)?;
            answer = self.get(&next).await?;
        }
        bail!("no end of redirects at {}", answer.url())
    }

    /// The form that they fill in.
    fn form(&self, page: &str) -> Option<Form> {
        let refusal = self.refusal.as_deref().and_then(|value| Form::with(page, value));
        refusal.or_else(|| Form::first(self.read(page)))
    }

    /// A page, or what comes after the buttons that lead to providers.
    fn read<'a>(&self, page: &'a str) -> &'a str {
        let rest =
            page.split_once("id=\"providers\"").and_then(|(_, rest)| rest.split_once("</form>"));
        rest.filter(|_| self.stays).map_or(page, |(_, rest)| rest)
    }

    fn chosen(&self, page: &str) -> Option<String> {
        let wanted = self.link.as_deref()?;
        tags(page, "<a").filter_map(|tag| attribute(tag, "href")).find(|link| link.contains(wanted))
    }

    async fn get(&mut self, url: &Url) -> Result<Response> {
        self.visited.push(url.clone());
        let request = self.http.get(url.clone()).header(header::COOKIE, self.cookies_of(url));
        let answer = request.send().await?;
        self.keep(&answer);
        Ok(answer)
    }

    async fn submit(&mut self, page: &Url, form: Form) -> Result<Response> {
        let target = page.join(&form.action)?;
        self.visited.push(target.clone());
        let fields: Vec<(String, String)> =
            form.fields.into_iter().map(|field| self.fill_in(field)).collect();
        let answer = self
            .http
            .post(target.clone())
            .header(header::COOKIE, self.cookies_of(&target))
            .header(header::ORIGIN, page.origin().ascii_serialization())
            .header("sec-fetch-site", "same-origin")
            .form(&fields)
            .send()
            .await?;
        self.keep(&answer);
        Ok(answer)
    }

    fn fill_in(&self, (name, value): (String, String)) -> (String, String) {
        let value = match name.as_str() {
            "email" | "username" | "login" => self.email.clone(),
            "password" => self.password.clone(),
            _ => value,
        };
        (name, value)
    }

    /// What is hidden in the forms of all pages under this name.
    #[must_use]
    pub fn hidden(&self, name: &str) -> Vec<String> {
        let forms = self.pages.iter().filter_map(|page| Form::first(page));
        let fields = forms.flat_map(|form| form.fields);
        fields.filter(|(other, _)| other == name).map(|(_, value)| value).collect()
    }

    /// All cookies of the browser, as a `Cookie` header.
    #[must_use]
    pub fn cookie(&self) -> String {
        let pairs: Vec<String> =
            self.cookies.iter().map(|((_, name), value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    fn cookies_of(&self, url: &Url) -> String {
        let origin = url.origin().ascii_serialization();
        let own = self.cookies.iter().filter(|((other, _), _)| *other == origin);
        let pairs: Vec<String> = own.map(|((_, name), value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    fn keep(&mut self, answer: &Response) {
        let origin = answer.url().origin().ascii_serialization();
        for cookie in answer.headers().get_all(header::SET_COOKIE) {
            let pair = cookie.to_str().ok().and_then(|text| text.split(';').next());
            if let Some((name, value)) = pair.and_then(|pair| pair.split_once('=')) {
                self.cookies.insert((origin.clone(), name.to_owned()), value.to_owned());
                self.set.push(value.to_owned());
            }
        }
    }
}

/// A form, with the button that says yes.
#[derive(Debug, Eq, PartialEq)]
struct Form {
    action: String,
    fields: Vec<(String, String)>,
}

impl Form {
    /// The first form of a page: its inputs, and its first button that has a name.
    fn first(page: &str) -> Option<Self> {
        Self::read(forms(page).next()?, |_button| true)
    }

    /// The first form of a page in which this value is hidden, or is that of a button: then with that button.
    fn with(page: &str, value: &str) -> Option<Self> {
        let wanted = |field: &(String, String)| field.1 == value;
        forms(page).find_map(|form| {
            let found = Self::read(form, |button| wanted(button))?;
            found.fields.iter().any(wanted).then_some(found)
        })
    }

    fn read(form: &str, button: impl Fn(&(String, String)) -> bool) -> Option<Self> {
        let action = attribute(form.split_once('>')?.0, "action").unwrap_or_default();
        let mut fields: Vec<(String, String)> = tags(form, "<input").filter_map(named).collect();
        fields.extend(tags(form, "<button").filter_map(named).find(button));
        Some(Self { action, fields })
    }
}

fn forms(page: &str) -> impl Iterator<Item = &str> {
    page.split("<form").skip(1).filter_map(|rest| rest.split_once("</form>")).map(|(form, _)| form)
}

fn tags<'a>(html: &'a str, open: &'a str) -> impl Iterator<Item = &'a str> {
    html.split(open).skip(1).filter_map(|rest| rest.split_once('>')).map(|(tag, _)| tag)
}

fn named(tag: &str) -> Option<(String, String)> {
    Some((attribute(tag, "name")?, attribute(tag, "value").unwrap_or_default()))
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag
        .split_once(&format!(" {name}=\""))
        .or_else(|| tag.split_once(&format!("\n{name}=\"")))?;
    let (value, _) = rest.split_once('"')?;
    Some(unescape(value))
}

fn unescape(text: &str) -> String {
    let named = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#34;", "\""), ("&#38;", "&")];
    let more = [("&#39;", "'"), ("&#x27;", "'"), ("&#60;", "<"), ("&#62;", ">"), ("&amp;", "&")];
    named.into_iter().chain(more).fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::Form;

    #[test]
    fn a_form_is_its_inputs_and_the_first_named_button() {
        let page = r#"<form method="post" action="/oauth/login?a=1&amp;b=2"><input type="hidden"
            name="csrf" value="x&#39;y"><input name="email"><button name="decision" value="allow">Allow</button>
            <button name="decision" value="deny">Deny</button></form>"#;
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let expected = |decision| {
            Some(Form {
                action: "/oauth/login?a=1&b=2".to_owned(),
                fields: vec![field("csrf", "x'y"), field("email", ""), field("decision", decision)],
            })
        };
        assert_eq!(Form::first(page), expected("allow"));
        assert_eq!(Form::with(page, "deny"), expected("deny"));
        assert_eq!(Form::with(page, "perhaps"), None);
    }
}
