//! Does what a scene says, in a shell, as a person would.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;
use tokio::time::{Instant, timeout};

use super::{Scene, Step};

/// No command of a lesson may take longer.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a person would not type: it writes the head of each answer down, so that its status can be checked.
const PRELUDE: &str = r#"curl() { command curl -D "$STAGE_HEAD" "$@"; }
"#;

/// Where scenes are played.
#[derive(Clone, Debug)]
pub struct Stage {
    /// What stands in the scenes, and what it is here: usual addresses and actual ones.
    pub instead: Vec<(String, String)>,
    /// More variables for the commands.
    pub environment: Vec<(&'static str, OsString)>,
    /// A folder for notes between the steps.
    pub folder: PathBuf,
}

impl Stage {
    /// A command as it is to be typed here.
    pub fn local(&self, command: &str) -> String {
        self.instead
            .iter()
            .fold(command.trim().to_owned(), |text, (usual, actual)| text.replace(usual, actual))
    }
}

/// What a command did.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// What was typed.
    pub command: String,
    /// The status of the last HTTP answer; none when there was no answer.
    pub status: Option<u16>,
    /// The headers of the last HTTP answer, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// What was printed, errors included.
    pub printed: String,
    /// How long it took.
    pub took: Duration,
    /// What is wrong with it.
    pub wrong: Vec<String>,
}

impl Outcome {
    /// What was printed, as JSON; null when it is something else.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.printed).unwrap_or_default()
    }
}

/// Plays a scene and shows each outcome to `watch` as it comes; stops after a step that went wrong, because the next
/// ones stand on it. Answers whether all was as expected.
pub async fn play(
    scene: &Scene,
    stage: &Stage,
    mut watch: impl FnMut(&Step, &Outcome),
) -> io::Result<bool> {
    let mut kept: BTreeMap<String, String> = BTreeMap::new();
    for step in &scene.steps {
        let mut outcome = run(step, stage, &mut kept).await?;
        outcome.wrong = step.expect.judge(&outcome);
        watch(step, &outcome);
        if !outcome.wrong.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn run(
    step: &Step,
    stage: &Stage,
    kept: &mut BTreeMap<String, String>,
) -> io::Result<Outcome> {
    let head = stage.folder.join("head");
    let _ = std::fs::remove_file(&head);
    let command = stage.local(&step.command);
    let note = |name: &str| stage.folder.join(format!("kept-{name}"));
    let keep = step
        .keep
        .iter()
        .map(|name| format!("printf %s \"${name}\" > '{}'\n", note(name).display()));
    let script = format!("{PRELUDE}{command}\n{}", keep.collect::<String>());

    let start = Instant::now();
    let child = Command::new("sh")
        .arg("-c")
        .arg(script)
        .envs(kept.iter())
        .envs(stage.environment.iter().map(|(name, value)| (name, value)))
        .env("STAGE_HEAD", &head)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output =
        timeout(PATIENCE, child).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    let took = start.elapsed();

    for name in &step.keep {
        kept.insert(name.clone(), std::fs::read_to_string(note(name))?);
    }
    let mut printed = String::from_utf8_lossy(&output.stdout).into_owned();
    printed.push_str(&String::from_utf8_lossy(&output.stderr));
    let (status, headers) = read_head(&head);
    Ok(Outcome { command, status, headers, printed, took, wrong: Vec::new() })
}

/// The last head in the file: curl writes one for each answer, an interim `100 Continue` included.
fn read_head(path: &Path) -> (Option<u16>, BTreeMap<String, String>) {
    let text = std::fs::read_to_string(path).unwrap_or_default().replace("\r\n", "\n");
    let head = text.trim_end().rsplit("\n\n").next().unwrap_or_default();
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let header = |line: &str| {
        line.split_once(':').map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
    };
    (status, lines.filter_map(header).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::Expect;

    fn step(command: &str, keep: &[&str], text: &str) -> Step {
        let keep = keep.iter().map(|name| (*name).to_owned()).collect();
        let expect = Expect { text: vec![text.to_owned()], ..Expect::default() };
        Step { note: String::new(), command: command.to_owned(), keep, expect }
    }

    async fn played(steps: Vec<Step>) -> (bool, Vec<Outcome>) {
        let folder = std::env::temp_dir().join(format!("stage-{}", uuid::Uuid::new_v4().simple()));
        std::fs::create_dir(&folder).unwrap();
        let instead = vec![("127.0.0.1:8080".to_owned(), "127.0.0.1:1234".to_owned())];
        let stage = Stage { instead, environment: Vec::new(), folder: folder.clone() };
        let scene = Scene {
            name: "00-test".to_owned(),
            title: "Test".to_owned(),
            lesson: "Test".to_owned(),
            chapter: PathBuf::from("x.md"),
            steps,
        };
        let mut outcomes = Vec::new();
        let right =
            play(&scene, &stage, |_, outcome| outcomes.push(outcome.clone())).await.unwrap();
        std::fs::remove_dir_all(folder).unwrap();
        (right, outcomes)
    }

    #[tokio::test]
    async fn a_variable_is_there_for_the_next_step() {
        let steps = vec![
            step("TOKEN=$(echo a\\'\\$b) && echo set", &["TOKEN"], "set"),
            step("echo \"it is $TOKEN at 127.0.0.1:8080\"", &[], "it is a'$b at 127.0.0.1:1234"),
        ];
        let (right, outcomes) = played(steps).await;
        assert!(right, "{outcomes:?}");
    }

    #[tokio::test]
    async fn stops_at_the_first_step_that_went_wrong() {
        let steps = vec![step("echo no", &[], "yes"), step("echo yes", &[], "yes")];
        let (right, outcomes) = played(steps).await;
        assert!(!right);
        assert_eq!(outcomes.len(), 1);
    }

    #[test]
    fn reads_the_last_head() {
        let file = std::env::temp_dir().join(format!("head-{}", uuid::Uuid::new_v4().simple()));
        std::fs::write(
            &file,
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX-Request-Id: 7\r\n\r\n",
        )
        .unwrap();
        let (status, headers) = read_head(&file);
        std::fs::remove_file(file).unwrap();
        assert_eq!(status, Some(200));
        assert_eq!(headers["x-request-id"], "7");
    }
}
