//! Who registers at the provider: for each client of ours one at a time, so that of many who agree in the same moment one
//! makes it known there, and the others find it. In this process they queue here; among replicas the database has turns.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::Mutex as Turn;

/// The clients for which somebody of this process registers or waits.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<HashMap<String, Arc<Turn<()>>>>);

/// A place in the queue of a client, which goes with the last one in it.
#[derive(Debug)]
pub(super) struct Place<'a> {
    turns: &'a Turns,
    client_id: &'a str,
    /// Whoever has it is next.
    pub(super) turn: Arc<Turn<()>>,
}

impl Turns {
    /// A place in the queue of this client.
    pub(super) fn place<'a>(&'a self, client_id: &'a str) -> Place<'a> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = Arc::clone(all.entry(client_id.to_owned()).or_default());
        Place { turns: self, client_id, turn }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut all = self.turns.0.lock().unwrap_or_else(PoisonError::into_inner);
        // That of the queue and ours: more are made only here, behind the lock.
        if Arc::strong_count(&self.turn) <= 2 {
            all.remove(self.client_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Turns;

    #[tokio::test]
    async fn a_queue_is_one_for_a_client_and_goes_with_the_last_in_it() {
        let turns = Turns::default();
        let (one, two, other) = (turns.place("a"), turns.place("a"), turns.place("b"));
        let had = one.turn.lock().await;
        assert!(two.turn.try_lock().is_err() && other.turn.try_lock().is_ok());
        drop(had);
        drop(one);
        let late = turns.place("a");
        let had = late.turn.lock().await;
        assert!(two.turn.try_lock().is_err(), "it is the same queue");
        drop(had);
        drop((two, late, other));
        assert!(turns.0.lock().unwrap().is_empty());
    }
}
