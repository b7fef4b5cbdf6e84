//! The question before anybody goes to the provider (MCP, confused deputy): which application wants what, where the answer
//! goes, and where one will log in. At the provider, all applications are authsvc; nobody there could ask.

use axum::{extract::Request, http::HeaderMap, http::StatusCode, response::Response};

use super::{
    Broker,
    departure::{self, Agreed},
};
use crate::{
    address::ClientAddress,
    authorization::{
        answer::ErrorCode,
        authorize::admit,
        consent::{Decision, decision, described},
        decide,
        grant::Grant,
        interaction::{self, Open},
        parameters::Parameters,
        refuse,
        request::{Asked, Fault},
        submitted::Submitted,
    },
    csrf::Form,
    pages::{self, Elsewhere, error::Trouble},
    sessions,
    state::App,
};

/// The page, or the way to the provider where whoever is logged in has agreed before.
///
/// # Errors
/// When there is nothing to ask about, or the database fails.
pub async fn show(
    app: &App,
    broker: &Broker,
    ClientAddress(address): ClientAddress,
    (headers, parameters): (&HeaderMap, &Parameters),
) -> Result<Response, Trouble> {
    let open = interaction::find(app, headers, parameters).await?;
    let asked = open.asked()?.clone();
    let login = sessions::current(app, headers).await?.map(|session| open.login(&session));
    match decide(app, asked.clone(), login).await? {
        Grant::Asked(_) | Grant::LoggedIn(_) => page(app, broker, (&open, &asked), None).await,
        Grant::Consented(_) => {
            admit(app, address)?;
            departure::depart(app, broker, (&open, &asked), Agreed::Before).await
        }
        Grant::Refused(refused) => {
            open.close(app).await?;
            Ok(refuse(app, &refused.asked.destination, &refused.fault))
        }
    }
}

/// Its form.
///
/// # Errors
/// When it is not ours, or the database fails.
pub async fn answer(
    app: &App,
    broker: &Broker,
    ClientAddress(address): ClientAddress,
    request: Request,
) -> Result<Response, Trouble> {
    let submitted = Submitted::read(app, request).await?;
    submitted.demand_token(&submitted.open.browser, Form::Consent)?;
    let Submitted { parameters, open, .. } = submitted;
    let asked = open.asked()?.clone();
    match decision(&parameters).ok_or(Trouble::Unreadable)? {
        Decision::Allow => {
            // Each way to the provider costs it and us something, and a request may be sent on it again and again.
            admit(app, address)?;
            departure::depart(app, broker, (&open, &asked), Agreed::Now).await
        }
        Decision::Deny => {
            open.close(app).await?;
            let fault = Fault::new(ErrorCode::AccessDenied, "the user did not allow it");
            Ok(refuse(app, &asked.destination, &fault))
        }
        Decision::Switch => Err(Trouble::Unreadable),
    }
}

/// The page; with a notice when it is shown again.
///
/// # Errors
/// When the database fails.
pub async fn page(
    app: &App,
    broker: &Broker,
    (open, asked): (&Open, &Asked),
    notice: Option<(StatusCode, String)>,
) -> Result<Response, Trouble> {
    let (status, notice) =
        notice.map_or((StatusCode::OK, None), |(status, text)| (status, Some(text)));
    let host = broker.settings.label();
    let page = pages::Consent {
        elsewhere: Some(Elsewhere { host, scopes: broker.scopes(&asked.scopes) }),
        notice,
        ..described(app, open, asked, &open.browser).await?
    };
    Ok(pages::respond(status, &page))
}
