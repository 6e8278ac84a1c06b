//! The lessons: what a person pastes, what comes back, and what it shows.
//!
//! A scene decides what is asked and what counts as right. It never decides how the shop was started.

mod expect;
mod play;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

pub use expect::{Expect, subset};
pub use play::{Outcome, Stage, play};

/// A lesson: one file of `e2e/scenes`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scene {
    /// The file's name without its ending: `02-four-routes`.
    #[serde(skip)]
    pub name: String,
    /// What it is called.
    pub title: String,
    /// What one learns by it, in one or two sentences.
    pub lesson: String,
    /// Where to read on: a path below `gateway/docs`.
    pub chapter: PathBuf,
    /// What is done, in order, all in one shell: a variable that one step sets is there for the next.
    pub steps: Vec<Step>,
}

/// One command and its answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// A sentence that says what to look at; may be absent.
    #[serde(default)]
    pub note: String,
    /// What a person pastes into a shell at the top of the repository while the shop runs on its usual ports.
    pub command: String,
    /// The shell variables that later steps use.
    #[serde(default)]
    pub keep: Vec<String>,
    /// What is right.
    #[serde(default)]
    pub expect: Expect,
}

/// Why there is nothing to play.
#[derive(Debug, Error)]
pub enum SceneError {
    /// The folder can't be read.
    #[error("can't read the scenes in {}: {source}", .path.display())]
    Unreadable {
        /// The folder or file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The text is no scene.
    #[error("{} is no scene: {source}", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Line and reason.
        source: Box<toml::de::Error>,
    },
    /// A scene that teaches or checks nothing.
    #[error("{}: {problem}", .path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// What is missing.
        problem: &'static str,
    },
}

/// Reads all scenes of a folder, ordered by their numbers.
pub fn read_all(folder: &Path) -> Result<Vec<Scene>, SceneError> {
    let unreadable = |source| SceneError::Unreadable { path: folder.to_owned(), source };
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.insert(path.clone(), read(&path)?);
        }
    }
    Ok(files.into_values().collect())
}

/// Reads one scene.
pub fn read(path: &Path) -> Result<Scene, SceneError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| SceneError::Unreadable { path: path.to_owned(), source })?;
    parse(path, &text)
}

fn parse(path: &Path, text: &str) -> Result<Scene, SceneError> {
    let mut scene: Scene = toml::from_str(text).map_err(|source| SceneError::Malformed {
        path: path.to_owned(),
        source: Box::new(source),
    })?;
    let empty = |problem| Err(SceneError::Empty { path: path.to_owned(), problem });
    if scene.title.is_empty() || scene.lesson.is_empty() {
        return empty("a scene has a title and a lesson");
    }
    if scene.steps.is_empty() {
        return empty("a scene has at least one step");
    }
    if scene.steps.iter().any(|step| step.expect == Expect::default()) {
        return empty("every step expects something: a status, a body, a text or a header");
    }
    scene.name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(scene)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
title = "The shelf"
lesson = "Anybody may look."
chapter = "01-request-routing.md"
[[steps]]
command = "curl -s http://127.0.0.1:8080/api/products/p-1"
keep = []
[steps.expect]
status = 200
body = { id = "p-1" }
"#;

    #[test]
    fn reads_a_scene_and_names_it_after_its_file() {
        let scene = parse(Path::new("scenes/02-shelf.toml"), GOOD).unwrap();
        assert_eq!(scene.name, "02-shelf");
        assert_eq!(scene.steps[0].expect.status, Some(200));
    }

    #[test]
    fn refuses_unknown_keys_and_scenes_that_check_nothing() {
        let cases = [
            (GOOD.replace("status = 200", "statsu = 200"), "statsu"),
            (GOOD.replace("keep", "keeps"), "keeps"),
            (GOOD.replace("title = \"The shelf\"", ""), "title"),
            (GOOD.replace("status = 200\nbody = { id = \"p-1\" }", ""), "expects something"),
            (GOOD.replace("The shelf", ""), "has a title"),
        ];
        for (text, word) in cases {
            let error = parse(Path::new("scenes/02-shelf.toml"), &text).unwrap_err().to_string();
            assert!(error.contains(word) && error.contains("02-shelf.toml"), "{error}");
        }
    }
}
