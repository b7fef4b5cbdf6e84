//! The whole way of a client that is a program of its own and knows only the URL: challenge, metadata, registration,
//! login and consent, token, `tools/list`, `tools/call`, refresh.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::{
    person::Person,
    script::Script,
    stack::{EMAIL, Stack, parts},
};

/// A tool that answers whatever its arguments are worth.
#[derive(Clone, Debug)]
pub struct Tool {
    /// Its name.
    pub name: &'static str,
    /// With which it is called.
    pub arguments: Value,
}

impl Tool {
    /// Has a program of `tests/clients` go the whole way to the server `everything`, and looks at what it and we saw
    /// of it.
    ///
    /// # Errors
    /// Where it ended, or what was not as it must be.
    pub async fn reached_by(&self, program: &Path, script: &str, stack: &Stack) -> Result<()> {
        let event = self.reached_as((program, script, &[]), &mut Person::admin(), stack).await?;
        ensure!(event["email"] == EMAIL, "{event}");
        Ok(())
    }

    /// The same for a program with more arguments and for another person; the event of its call.
    ///
    /// # Errors
    /// Where it ended, or what was not as it must be.
    pub async fn reached_as(
        &self,
        (program, script, more): (&Path, &str, &[&str]),
        person: &mut Person,
        stack: &Stack,
    ) -> Result<Value> {
        let intent = format!("Check {script}");
        let mut arguments = self.arguments.clone();
        arguments["attache_intent"] = json!(intent);
        let script = parts::root().join("tests/clients").join(script);
        let url = stack.url("everything");
        let arguments = arguments.to_string();
        let own = [url.as_str(), self.name, arguments.as_str()];
        let mut client = Script::start(program, &script, &[&own, more].concat())?;

        let tools = client.said("tools", person).await?;
        let tools = tools.as_array().context("tools")?;
        let tool = tools.iter().find(|tool| tool["name"] == self.name).context("the tool")?;
        ensure!(
            tool["inputSchema"]["properties"]["attache_intent"]["type"] == "string",
            "no injected argument in {tool}"
        );
        let result = client.said("result", person).await?;
        ensure!(result["isError"] != true, "{result}");
        ensure!(result["content"].is_array(), "{result}");
        ensure!(!result.to_string().contains("attache_intent"), "the argument came back: {result}");

        let event = stack.event(|event| event["intent"]["text"] == intent.as_str()).await?;
        ensure!(event["outcome"] == "ok" && event["name"] == self.name, "{event}");

        ensure!(client.said("rotated", person).await? == true, "the refresh token is the same");
        ensure!(client.said("done", person).await? == true, "not done");
        Ok(event)
    }
}
