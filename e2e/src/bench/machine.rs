//! On what it was measured, and how: the lines without which the figures mean nothing.

use std::fs;
use std::time::Duration;

use super::contestant::Stand;

/// What stands above the tables.
pub(super) fn describe(stand: &Stand, connections: u16, rounds: u32, window: Duration) -> String {
    let mut lines = vec![
        format!(
            "{} processors, {}, Linux {}",
            std::thread::available_parallelism().map_or(0, usize::from),
            processor(),
            first_line("/proc/sys/kernel/osrelease"),
        ),
        stand.versions().join(", "),
        load_average(),
        format!(
            "{rounds} rounds in turn, {} ms each, {connections} connections with one request at a time, keep-alive",
            window.as_millis()
        ),
        "Asked by this program, answered by one gRPC service within it; every answer is looked at."
            .to_owned(),
        String::new(),
    ];
    if cfg!(debug_assertions) {
        lines.push("This is a build for debugging: its figures say nothing.\n".to_owned());
    }
    for contestant in stand.contestants() {
        lines.push(format!("  {:<15}{}", contestant.kind.name(), contestant.kind.does()));
    }
    lines.join("\n")
}

/// How many want a processor: much more than there are processors means that others disturb.
pub(super) fn load_average() -> String {
    let words = first_line("/proc/loadavg");
    format!("load average of the last minute: {}", words.split(' ').next().unwrap_or("unknown"))
}

fn processor() -> String {
    let about = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = about.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or("unknown", |(_, name)| name).to_owned()
}

fn first_line(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().next().unwrap_or("unknown").to_owned()
}
