//! What time demands: overdue items, ended cases, forgotten cases, holds that are over, sums of refusals. One loop.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Gateway;
use crate::policy::command::Command;
use crate::store::StoreError;

impl Gateway {
    /// One round. Returns how many acts it put to the store.
    ///
    /// # Errors
    /// The store's first error that is no rule's; the rest waits for the next round.
    pub async fn sweep(&self) -> Result<usize, StoreError> {
        let max = self.settings.sweep_batch_max;
        let mut acts = 0;
        loop {
            let due = self.store.due(self.now(), self.settings.overdue_after, max).await?;
            let lists = [due.overdue.len(), due.ended.len(), due.forgotten.len(), due.holds.len()];
            let full = lists.contains(&max);
            let commands = due
                .overdue
                .into_iter()
                .map(|item| Command::MarkOverdue { item })
                .chain(due.ended.into_iter().map(|case_ref| Command::EndCase { case_ref }))
                .chain(due.forgotten.into_iter().map(|case_ref| Command::ForgetCase { case_ref }))
                .chain(due.holds.into_iter().map(|case_ref| Command::EndHold { case_ref }));
            // Together, so that they share their syncs: thousands may fall due on one day.
            let mut running = JoinSet::new();
            for command in commands {
                let store = Arc::clone(&self.store);
                running.spawn(async move { store.act(command).await.map(|_| ()) });
            }
            let mut failed = None;
            while let Some(ended) = running.join_next().await {
                match ended.unwrap_or(Err(StoreError::Stopped)) {
                    Ok(()) => acts += 1,
                    Err(error) => failed = failed.or(Some(error)),
                }
            }
            if let Some(error) = failed {
                return Err(error);
            }
            if !full {
                break;
            }
        }
        acts += self.flush_sums(false).await?;
        Ok(acts)
    }

    /// Tells the process's log of the calls of minutes that are over, or of all.
    pub fn tell_calls(&self, all: bool) {
        self.answered.tell((!all).then(|| self.clock.now()));
    }

    /// Notes the sums of refusals of minutes that are over, or of all.
    ///
    /// # Errors
    /// The store's; what it did not take is kept.
    pub async fn flush_sums(&self, all: bool) -> Result<usize, StoreError> {
        let mut acts = 0;
        let mut failed = None;
        for event in self.refusals.due((!all).then(|| self.clock.now())) {
            if failed.is_some() {
                self.refusals.put_back(event);
                continue;
            }
            match self.store.act(Command::Note(event.clone())).await {
                Ok(_) => acts += 1,
                Err(error) => {
                    self.refusals.put_back(event);
                    failed = Some(error);
                }
            }
        }
        failed.map_or(Ok(acts), Err)
    }

    /// Sweeps until `stop`. An error is told and the next round tries again; a stopped store ends the loop.
    pub async fn run_sweep(self: Arc<Self>, stop: CancellationToken) {
        let mut tick = tokio::time::interval(self.settings.sweep_interval);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = tick.tick() => {}
            }
            // Also while the store refuses.
            self.tell_calls(false);
            self.look_for_damage();
            match self.sweep().await {
                Ok(0) => {}
                Ok(acts) => tracing::debug!(acts, "swept"),
                Err(StoreError::Stopped) => return,
                Err(error) => tracing::error!(%error, "the sweep failed and will be tried again"),
            }
        }
    }
}
