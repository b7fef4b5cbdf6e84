//! Wakes those who wait for events.

use tokio::sync::watch;

/// Says that events came, not which: whoever waits looks into the store.
#[derive(Clone, Debug, Default)]
pub struct Arrivals(watch::Sender<()>);

impl Arrivals {
    /// Events are in the store that were not there before.
    pub fn announce(&self) {
        self.0.send_replace(());
    }

    /// To be made before looking into the store, so that nothing is missed between looking and waiting.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<()> {
        self.0.subscribe()
    }

    /// How many have subscribed and not gone.
    #[cfg(test)]
    pub(crate) fn subscribers(&self) -> usize {
        self.0.receiver_count()
    }
}
