//! The front page: what wants attention.

use maud::{Markup, html};

use super::super::Site;
use super::super::lang::Lang;
use super::super::route::PageRoute;
use super::{Page, Place};
use crate::gateway::Refusal;
use crate::policy::permit::Caller;
use crate::store::Stats;

/// The context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Front {
    stats: Stats,
}

impl Front {
    pub(super) async fn load(site: &Site, caller: &Caller) -> Result<Self, Refusal> {
        site.gateway.checkpoint(caller).await?;
        Ok(Self { stats: site.stats(caller).await? })
    }
}

impl Page for Front {
    fn title(&self, lang: Lang) -> String {
        lang.say("Hva vil du vite?", "What do you want to know?").to_owned()
    }

    fn place(&self) -> Option<Place> {
        Some(Place::Front)
    }

    fn route(&self) -> Option<PageRoute> {
        Some(PageRoute::Front)
    }

    fn main(&self, lang: Lang) -> Markup {
        html! {
            dl class="tiles" {
                div { dt { (lang.say("Oppføringer i loggen", "Entries of the log")) } dd { (lang.number(self.stats.durable_size)) } }
                div { dt { (lang.say("Meldinger over fristen", "Overdue messages")) } dd { (lang.number(self.stats.overdue)) } }
            }
        }
    }
}
