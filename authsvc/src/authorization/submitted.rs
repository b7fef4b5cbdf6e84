//! A form of ours as it comes back, and the interaction that it answers.

use axum::{extract::Request, http::HeaderMap};

use super::{
    interaction::{self, Open},
    parameters::Parameters,
    read_form,
};
use crate::{
    csrf::{self, Form},
    pages::error::Trouble,
    state::App,
};

/// Longest token that is compared, bytes.
const MAX_TOKEN: usize = 128;

/// A form that no other site sent, for an interaction that waits for this browser.
#[derive(Debug)]
pub struct Submitted {
    /// Headers of the request.
    pub headers: HeaderMap,
    /// Fields.
    pub parameters: Parameters,
    /// What it answers.
    pub open: Open,
}

impl Submitted {
    /// Reads it.
    ///
    /// # Errors
    /// When it comes from elsewhere, cannot be read, or nothing waits for it.
    pub async fn read(app: &App, request: Request) -> Result<Self, Trouble> {
        let headers = request.headers().clone();
        if !csrf::is_same_origin(&app.config.public_url, &headers) {
            return Err(Trouble::ForeignForm);
        }
        let parameters = read_form(request).await?;
        let open = interaction::find(app, &headers, &parameters).await?;
        Ok(Self { headers, parameters, open })
    }

    /// Demands the token that the page of `form` had in it; `cookie` is what that page depends on.
    ///
    /// # Errors
    /// [`Trouble::ForeignForm`] when it is another one.
    pub fn demand_token(&self, cookie: &str, form: Form) -> Result<(), Trouble> {
        let token = self.parameters.text("csrf", MAX_TOKEN).ok().flatten().unwrap_or_default();
        if csrf::matches(token, cookie, form, &self.open.name) {
            Ok(())
        } else {
            Err(Trouble::ForeignForm)
        }
    }
}
