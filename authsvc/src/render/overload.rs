//! What Envoy does before it has too many connections, or no memory left.

use super::tree::{Tree, list, section};
use crate::config::Config;

const CONNECTIONS: &str = "envoy.resource_monitors.global_downstream_max_connections";
const CONNECTIONS_TYPE: &str =
    "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig";
const MAX_CONNECTIONS: u32 = 50_000;
const HEAP: &str = "envoy.resource_monitors.fixed_heap";
const HEAP_TYPE: &str = "envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig";
/// Of `max_heap`: from here on streams that hold much are reset, the largest first and more of them as it fills.
const RESET_FROM: f64 = 0.85;
/// From here on no request is begun (503).
const REFUSE_FROM: f64 = 0.95;
/// A stream that holds 2^15 bytes, half of what a request to authsvc may hold, is one that holds much.
const MUCH: u32 = 15;

/// The section `overload_manager`.
pub(super) fn manager(config: &Config) -> Tree {
    let monitor = |name: &str, kind: &str, limits: Tree| section! { "name" => name, "typed_config" => Tree::typed(kind, limits) };
    let connections = section! { "max_active_downstream_connections" => MAX_CONNECTIONS };
    let max_heap = u64::try_from(config.envoy.max_heap).unwrap_or(u64::MAX);
    let heap = section! { "max_heap_size_bytes" => max_heap };
    let scaled =
        section! { "scaling_threshold" => RESET_FROM, "saturation_threshold" => REFUSE_FROM };
    let action = |name: &str, when: &str, how: Tree| {
        let trigger = section! { "name" => HEAP, when => how };
        section! { "name" => format!("envoy.overload_actions.{name}"), "triggers" => list![trigger] }
    };
    section! {
        // Anyone can open streams that are never finished, faster than a second.
        "refresh_interval" => "0.25s",
        "buffer_factory_config" => section! { "minimum_account_to_track_power_of_two" => MUCH },
        "resource_monitors" => list![
            monitor(CONNECTIONS, CONNECTIONS_TYPE, connections),
            monitor(HEAP, HEAP_TYPE, heap),
        ],
        "actions" => list![
            action("reset_high_memory_stream", "scaled", scaled),
            action("stop_accepting_requests", "threshold", section! { "value" => REFUSE_FROM }),
        ],
    }
}
