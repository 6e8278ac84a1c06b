//! What the operator wrote: one section per room, plus four for the place itself.
//!
//! It reads and sums the sections. Whether they make sense together is decided by `compile`.

mod file;
mod interpolate;
mod sections;

use std::collections::BTreeMap;
use std::env;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

pub(crate) use file::read_file;

use crate::setting::{Problem, Spanned, unwritten};
use crate::{
    authentication, authorization, load_balancing, monitoring, rate_limiting, resilience,
    transcoding, upstream,
};

/// The largest configuration that is read, in bytes.
const LIMIT: u64 = 1024 * 1024;

/// A whole configuration file.
#[derive(Debug)]
pub(crate) struct Config {
    /// What could not be read: the section stands as if it were left out. It can't run, but the rest can be checked.
    pub(crate) mistakes: Vec<Problem>,
    /// The folder of the file, at which relative paths start.
    pub(crate) folder: PathBuf,
    /// What the services can do.
    pub(crate) schema: Schema,
    /// Where clients come in.
    pub(crate) listener: Listener,
    /// Where operators come in.
    pub(crate) admin: Admin,
    /// Which services stand behind which name, and where.
    pub(crate) upstreams: BTreeMap<String, upstream::Config>,
    /// Room 2.
    pub(crate) authentication: authentication::Config,
    /// Room 3.
    pub(crate) authorization: authorization::Config,
    /// Room 4.
    pub(crate) rate_limiting: rate_limiting::Config,
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

impl Default for Schema {
    fn default() -> Self {
        Self { file: unwritten(PathBuf::new()) }
    }
}

/// The section `listener`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listener {
    /// Where to listen, as `address:port`.
    pub(crate) address: Spanned<String>,
    /// How many proxies stand in front of the gateway, each of which adds to `X-Forwarded-For` whom it speaks for.
    #[serde(default)]
    pub(crate) trusted_hops: u8,
}

/// The section `admin`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Admin {
    /// Where to listen, as `address:port`.
    pub(crate) address: Spanned<String>,
}

impl Default for Listener {
    fn default() -> Self {
        Self { address: unwritten(String::new()), trusted_hops: 0 }
    }
}

impl Default for Admin {
    fn default() -> Self {
        Self { address: unwritten(String::new()) }
    }
}

impl Config {
    /// Reads a configuration file, taking `${NAME}` from the environment.
    pub(crate) fn load(path: &Path) -> Result<Self, Vec<Problem>> {
        let text = read_file(path, LIMIT).and_then(|bytes| {
            let not_text = "stream did not contain valid UTF-8";
            String::from_utf8(bytes)
                .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, not_text))
        });
        let text = text.map_err(|error| {
            let message = format!("can't be read ({error}): name the file with --config FILE");
            vec![Problem::nowhere("(file)", message)]
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
        if !sections.are_readable() {
            return Err(problems);
        }
        let config = Self {
            mistakes: Vec::new(),
            folder,
            schema: sections.required("schema"),
            listener: sections.required("listener"),
            admin: sections.required("admin"),
            upstreams: sections.required("upstreams"),
            authentication: sections.optional("authentication"),
            authorization: sections.required("authorization"),
            rate_limiting: sections.optional("rate_limiting"),
            load_balancing: sections.optional("load_balancing"),
            resilience: sections.optional("resilience"),
            transcoding: sections.optional("transcoding"),
            monitoring: sections.optional("monitoring"),
        };
        sections.refuse_others();
        Ok(Self { mistakes: problems, ..config })
    }

    /// Whether a section is not as it was written, so that what is missing in it is no mistake of its own.
    pub(crate) fn unread(&self, section: &str) -> bool {
        self.mistakes.iter().any(|problem| problem.path == section)
    }
}
