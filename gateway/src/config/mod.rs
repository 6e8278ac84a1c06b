//! What the operator wrote: one section per room, plus four for the place itself.
//!
//! It reads and sums the sections. Whether they make sense together is decided by `compile`.

mod interpolate;
mod sections;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::setting::{Problem, Spanned};
use crate::{
    authentication, authorization, load_balancing, monitoring, resilience, transcoding, upstream,
};

/// A whole configuration file.
#[derive(Debug)]
pub(crate) struct Config {
    /// What could not be read; the section then stands as if it were left out. It can't run, but the rest can be checked.
    pub(crate) mistakes: Vec<Problem>,
    /// The folder of the file, at which relative paths start.
    pub(crate) folder: PathBuf,
    /// What the services can do.
    pub(crate) schema: Schema,
    /// Where clients come in.
    pub(crate) listener: Listener,
    /// Where operators come in.
    pub(crate) admin: Listener,
    /// Which services stand behind which name, and where.
    pub(crate) upstreams: BTreeMap<String, upstream::Config>,
    /// Room 2.
    pub(crate) authentication: authentication::Config,
    /// Room 3.
    pub(crate) authorization: authorization::Config,
    /// Room 5.
    pub(crate) load_balancing: load_balancing::Config,
    /// Room 5, second half.
    pub(crate) resilience: resilience::Config,
    /// Room 7.
    pub(crate) transcoding: transcoding::Config,
    /// Room 8.
    pub(crate) monitoring: monitoring::Config,
}

/// The section `schema`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Schema {
    /// An encoded `FileDescriptorSet`.
    pub(crate) file: Spanned<PathBuf>,
}

/// The sections `listener` and `admin`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listener {
    /// Where to listen, as `address:port`.
    pub(crate) address: Spanned<String>,
}

impl Config {
    /// Reads a configuration file, taking `${NAME}` from the environment.
    pub(crate) fn load(path: &Path) -> Result<Self, Vec<Problem>> {
        let text = fs::read_to_string(path).map_err(|error| {
            let message = format!("can't be read: {error}");
            vec![Problem { line: 0, column: 0, path: "(file)".to_owned(), message }]
        })?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Self::parse(&text, folder, |name| env::var(name).ok())
    }

    /// Reads the text of a configuration. Every section is read, so that one mistake does not hide the next.
    pub(crate) fn parse(
        text: &str,
        folder: PathBuf,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let text = interpolate::interpolate(text, variable, &mut problems);
        let mut sections = sections::Sections::new(&text, &mut problems);
        let config = (
            sections.required("schema"),
            sections.required("listener"),
            sections.required("admin"),
            sections.required("upstreams"),
            sections.optional("authentication"),
            sections.required("authorization"),
            sections.optional("load_balancing"),
            sections.optional("resilience"),
            sections.optional("transcoding"),
            sections.optional("monitoring"),
        );
        sections.refuse_others();
        let (
            Some(schema),
            Some(listener),
            Some(admin),
            Some(upstreams),
            authentication,
            Some(authorization),
            load_balancing,
            resilience,
            transcoding,
            monitoring,
        ) = config
        else {
            return Err(problems);
        };
        Ok(Self {
            mistakes: problems,
            folder,
            schema,
            listener,
            admin,
            upstreams,
            authentication,
            authorization,
            load_balancing,
            resilience,
            transcoding,
            monitoring,
        })
    }
}
