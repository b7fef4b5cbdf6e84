//! The demo MCP server of `make run` and of some tests: a travel desk, on the official Rust SDK.
//!
//! `GET /seen` lists the bodies that reached the MCP endpoint, exactly as they came, one JSON string each.
//!
//! usage: `demo_server [ADDRESS:PORT]`

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, Result};
use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::get,
    serve::ListenerExt as _,
};
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    handler::server::wrapper::Parameters,
    model::{
        CallToolResult, ContentBlock, Implementation, ProgressNotificationParam,
        ServerCapabilities, ServerConfig,
    },
    schemars,
    service::RequestContext,
    tool, tool_handler, tool_router,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
    },
};
use serde::Deserialize;
use tokio::{net::TcpListener, time::sleep};

/// Bodies that are remembered, and their size.
const REMEMBERED: usize = 200;
const LARGEST_BODY: usize = 16 << 20;

const CITIES: [(&str, &str); 4] =
    [("Lisbon", "sunny"), ("Oslo", "snow"), ("Kyoto", "light rain"), ("Nairobi", "clear skies")];

#[tokio::main]
async fn main() -> Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3001".to_owned());
    let address: SocketAddr =
        address.parse().with_context(|| format!("not ADDRESS:PORT: {address}"))?;
    let listener =
        TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;

    let seen = Seen::default();
    let desk = StreamableHttpService::new(
        || Ok(TravelDesk),
        Arc::new(LocalSessionManager::default()),
        StreamableHttpServerConfig::default(),
    );
    let app = Router::new()
        .nest_service("/mcp", desk)
        .layer(middleware::from_fn_with_state(seen.clone(), remember))
        .route("/seen", get(async |State(seen): State<Seen>| Json(seen.all())))
        .with_state(seen);
    // Small events go at once: with Nagle's algorithm each would wait for the last one's acknowledgement.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, app).await.context("serving ended")
}

/// What reached the MCP endpoint.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<VecDeque<String>>>);

impl Seen {
    fn add(&self, body: String) {
        let mut bodies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bodies.truncate(REMEMBERED - 1);
        bodies.push_front(body);
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().rev().cloned().collect()
    }
}

async fn remember(State(seen): State<Seen>, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    if !body.is_empty() {
        seen.add(String::from_utf8_lossy(&body).into_owned());
    }
    next.run(Request::from_parts(head, Body::from(body))).await
}

#[derive(Clone)]
struct TravelDesk;

#[derive(Deserialize, schemars::JsonSchema)]
struct Forecast {
    /// City, as `list_cities` names it.
    city: String,
    /// Days ahead, 1 to 7.
    #[serde(default)]
    days: Option<u8>,
}

#[derive(Deserialize, schemars::JsonSchema)]
struct Trip {
    /// Who travels.
    traveller: Traveller,
    /// Where to, in order.
    stops: Vec<Stop>,
}

#[derive(Deserialize, schemars::JsonSchema)]
struct Traveller {
    /// Name on the ticket.
    name: String,
    /// What matters to them.
    #[serde(default)]
    preferences: Vec<Preference>,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Preference {
    WindowSeat,
    QuietHotel,
    Vegetarian,
}

#[derive(Deserialize, schemars::JsonSchema)]
struct Stop {
    /// City, as `list_cities` names it.
    city: String,
    /// Nights there.
    nights: u8,
}

#[derive(Deserialize, schemars::JsonSchema)]
struct Booking {
    /// Reference of the booking, such as `TD-2041`.
    reference: String,
}

#[derive(Deserialize, schemars::JsonSchema)]
struct Search {
    /// Where to.
    city: String,
    /// Airlines to ask, 1 to 10; progress is reported after each.
    airlines: u8,
}

#[tool_router]
impl TravelDesk {
    #[tool(description = "The cities that the travel desk knows.")]
    async fn list_cities(&self) -> String {
        CITIES.map(|(city, _)| city).join(", ")
    }

    #[tool(description = "The weather in a city on the coming days.")]
    async fn weather_forecast(
        &self,
        Parameters(asked): Parameters<Forecast>,
    ) -> Result<String, ErrorData> {
        let sky = sky(&asked.city)?;
        let days = asked.days.unwrap_or(1).clamp(1, 7);
        Ok(format!("{}: {sky} for the next {days} day(s).", asked.city))
    }

    #[tool(description = "Plan a trip through several cities.")]
    async fn plan_trip(&self, Parameters(trip): Parameters<Trip>) -> Result<String, ErrorData> {
        let mut plan =
            format!("Plan for {} {:?}:", trip.traveller.name, trip.traveller.preferences);
        for stop in &trip.stops {
            let sky = sky(&stop.city)?;
            plan.push_str(&format!("\n- {}, {} night(s), expect {sky}", stop.city, stop.nights));
        }
        Ok(plan)
    }

    #[tool(description = "Cancel a booking.")]
    async fn cancel_booking(&self, Parameters(booking): Parameters<Booking>) -> CallToolResult {
        let text = format!("There is no booking {}; nothing was cancelled.", booking.reference);
        CallToolResult::error(vec![ContentBlock::text(text)])
    }

    #[tool(description = "Search flights at several airlines; reports progress as they answer.")]
    async fn search_flights(
        &self,
        Parameters(search): Parameters<Search>,
        context: RequestContext<RoleServer>,
    ) -> Result<String, ErrorData> {
        sky(&search.city)?;
        let airlines = search.airlines.clamp(1, 10);
        for asked in 1..=airlines {
            sleep(Duration::from_millis(100)).await;
            if let Some(token) = context.meta.get_progress_token() {
                let progress = ProgressNotificationParam::new(token, f64::from(asked))
                    .with_total(f64::from(airlines))
                    .with_message(format!("airline {asked} answered"));
                // Whoever asked may have gone.
                drop(context.peer.notify_progress(progress).await);
            }
        }
        Ok(format!("{airlines} airlines fly to {}, from 89 euros.", search.city))
    }
}

#[tool_handler]
impl ServerHandler for TravelDesk {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("travel-desk", env!("CARGO_PKG_VERSION")))
            .with_instructions("Ask for cities first; then forecasts, plans and flights.")
    }
}

fn sky(city: &str) -> Result<&'static str, ErrorData> {
    let known = CITIES.iter().find(|(name, _)| name.eq_ignore_ascii_case(city));
    known.map(|(_, sky)| *sky).ok_or_else(|| {
        ErrorData::invalid_params(format!("unknown city {city:?}; list_cities names them"), None)
    })
}
