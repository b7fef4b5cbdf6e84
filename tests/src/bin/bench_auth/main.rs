//! `make bench-auth`: what authsvc can do in a second, on SQLite and on PostgreSQL, and what it costs.
//!
//! One authsvc, asked without Envoy, over 16 connections that each send their next request when the answer to the
//! last is complete. Rates move with the machine and what else it does; CPU times of the process less so.

use std::{fs, io::Write as _, path::Path};

use anyhow::{Context as _, Result};
use attache_tests::{
    load::{Measured, machine, process},
    stack::{fresh_folder, postgres::Postgres},
};

mod service;
mod work;

use service::Service;

/// What one kind of work came to.
#[derive(Debug)]
struct Row {
    name: &'static str,
    measured: Measured,
    /// Things done by one request.
    each: usize,
    /// CPU time of authsvc per request, microseconds.
    cpu_us: f64,
}

impl Row {
    /// This and what was measured of the same work before it.
    fn after(self, earlier: Option<Self>) -> Self {
        let Some(earlier) = earlier else { return self };
        let (before, now) = (earlier.measured.requests as f64, self.measured.requests as f64);
        let cpu_us = (earlier.cpu_us * before + self.cpu_us * now) / (before + now);
        Self { measured: earlier.measured.and(self.measured), cpu_us, ..self }
    }

    fn cells(&self) -> String {
        let ms = |share| self.measured.quantile(share).as_secs_f64() * 1e3;
        format!(
            "{:.0}, {:.1} ms, {:.1} ms | {:.0}",
            self.measured.rate() * self.each as f64,
            ms(0.5),
            ms(0.99),
            self.cpu_us
        )
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let folder = fresh_folder(Some("databases"))?;
    let sqlite = format!("sqlite://{}", folder.join("attache.db").display());
    let on_sqlite = measure(&folder, "sqlite", &sqlite).await.context("on SQLite")?;
    let postgres = Postgres::start()?;
    let on_postgres = measure(&folder, "postgres", &postgres.by_socket()).await;
    let on_postgres = on_postgres.context("on PostgreSQL")?;

    let mut out = std::io::stdout().lock();
    writeln!(out, "{}\n", machine())?;
    writeln!(
        out,
        "| work | SQLite: a second, p50, p99 | CPU µs | PostgreSQL: a second, p50, p99 | CPU µs |"
    )?;
    writeln!(out, "| --- | --- | --- | --- | --- |")?;
    for (sqlite, postgres) in on_sqlite.iter().zip(&on_postgres) {
        writeln!(out, "| {} | {} | {} |", sqlite.name, sqlite.cells(), postgres.cells())?;
    }
    Ok(())
}

async fn measure(folder: &Path, name: &str, database: &str) -> Result<Vec<Row>> {
    let folder = folder.join(name);
    fs::create_dir_all(&folder)?;
    let mut service = Service::start(&folder, database).await?;
    let rows = work::all(&service).await?;
    service.process.stop(std::time::Duration::from_secs(20)).await?;
    Ok(rows)
}

/// CPU time that authsvc uses for some work.
async fn charged<T>(pid: u32, work: impl Future<Output = Result<T>>) -> Result<(T, f64)> {
    let before = process::cpu(pid)?;
    let done = work.await?;
    Ok((done, process::cpu(pid)?.saturating_sub(before).as_secs_f64() * 1e6))
}
