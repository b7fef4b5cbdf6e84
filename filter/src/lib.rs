//! Skeleton that loads.
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};
use std::panic::{AssertUnwindSafe, catch_unwind};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| -> Box<dyn RootContext> { Box::new(Root) });
}}

struct Root;
impl Context for Root {}
impl RootContext for Root {
    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Http))
    }
}
struct Http;
impl Context for Http {}
impl HttpContext for Http {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        match catch_unwind(AssertUnwindSafe(|| {
            let h = self.get_http_request_header("x-panic");
            if h.is_some() {
                panic!("asked to")
            }
        })) {
            Ok(()) => Action::Continue,
            Err(_) => {
                self.send_http_response(500, vec![], Some(b"caught\n"));
                Action::Pause
            }
        }
    }
}
