//! `git pack list` of a place: lists the packs that it holds without judging them.

use std::convert::Infallible;

use crate::adapters::workers;
use crate::adapters::workers::TRANSFERS;
use crate::format::destination::Which;
use crate::ops::Context;
use crate::ops::pack::list::{HeldBy, ListReport, ListedPack, sort};
use crate::ops::pack::source::Source;
use crate::ops::share::place::{self, ReachRequest};
use crate::refusal::Result;

/// Lists the packs at a place, or the one that the address names. Reads only their manifests and documents.
pub fn list_place(ctx: &Context, address: &str, reach: &ReachRequest) -> Result<ListReport> {
    let address = place::parse(address)?;
    let opened = place::open(ctx, &address.place, reach)?;
    let all = match address.which {
        Some(which) => vec![which],
        None => opened
            .packs()?
            .into_iter()
            .map(|pack| Which::Id(pack.pack_id))
            .collect(),
    };
    let list = |(): &mut (), which: &Which| {
        let name = name(which).into();
        Ok::<_, Infallible>(match place::find(&*opened, Some(which)) {
            Ok(pack) => ListedPack::of(name, &Source::Published(&*pack)),
            Err(refused) => ListedPack {
                name,
                declared: Err(refused),
                attached: None,
            },
        })
    };
    let Ok(mut packs) = workers::map_on(TRANSFERS, &all, || Ok(()), list);
    sort(&mut packs);
    Ok(ListReport {
        held_by: HeldBy::Place(opened.shown()),
        packs,
    })
}

fn name(which: &Which) -> String {
    match which {
        Which::Id(digest) | Which::Manifest(digest) => digest.to_string(),
        Which::Tag(tag) => tag.clone(),
    }
}
