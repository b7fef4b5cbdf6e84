//! `make run`: the demo MCP server, authsvc and Envoy with the filter, until Ctrl-C.
//!
//! usage: `run [attache.yaml]`

use std::{path::PathBuf, process::ExitCode};

use attache_tests::{stack::parts, supervisor};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let config = std::env::args_os()
        .nth(1)
        .map_or_else(|| parts::root().join("attache.yaml"), PathBuf::from);
    match supervisor::run(&config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\n{error:#}");
            ExitCode::FAILURE
        }
    }
}
