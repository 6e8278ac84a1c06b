//! The processor time of a process, as the operating system accounts it.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

/// What one line of `/proc/PID/stat` says that we need.
#[derive(Debug, PartialEq, Eq)]
struct Account {
    parent: u32,
    ticks: u64,
}

/// What the process, all its threads and all its descendants have spent so far, in user and in system mode.
/// One tick of the system's clock (10 ms) is the finest it can say.
pub(super) fn spent(process: u32) -> io::Result<Duration> {
    let accounts = accounts()?;
    if !accounts.contains_key(&process) {
        return Err(io::Error::other(format!("process {process} has ended")));
    }
    let mut ticks = 0;
    let mut family = vec![process];
    while let Some(one) = family.pop() {
        ticks += accounts.get(&one).map_or(0, |account| account.ticks);
        family.extend(
            accounts.iter().filter(|(_, account)| account.parent == one).map(|(id, _)| *id),
        );
    }
    let ticks_per_second = rustix::param::clock_ticks_per_second().max(1);
    Ok(Duration::from_nanos(ticks.saturating_mul(1_000_000_000 / ticks_per_second)))
}

fn accounts() -> io::Result<HashMap<u32, Account>> {
    let mut accounts = HashMap::new();
    for entry in std::fs::read_dir("/proc")? {
        let path = entry?.path();
        let id = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
        let Some(id) = id else { continue };
        // A process may end while we look.
        let Ok(line) = std::fs::read_to_string(path.join("stat")) else { continue };
        accounts.extend(parse(&line).map(|account| (id, account)));
    }
    Ok(accounts)
}

/// proc(5): `pid (comm) state ppid …`, and `utime stime cutime cstime` as the fields 14 to 17. `comm` may hold anything,
/// parentheses and spaces too.
fn parse(line: &str) -> Option<Account> {
    let (_, rest) = line.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let parent = fields.get(1)?.parse().ok()?;
    let mut ticks = 0;
    for field in fields.get(11..15)? {
        ticks += field.parse::<u64>().ok()?;
    }
    Some(Account { parent, ticks })
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[test]
    fn reads_a_line_whose_command_looks_like_fields() {
        let line = "77 (a) S 1 (b) S 42 77 77 0 -1 4194560 9 0 0 0 100 20 3 4 20 0 5 0 8 9 10";
        assert_eq!(parse(line), Some(Account { parent: 42, ticks: 127 }));
        assert_eq!(parse("77 (a) S 42 77"), None);
    }

    #[test]
    fn counts_what_this_process_spends() {
        let before = spent(std::process::id()).unwrap();
        let end = Instant::now() + Duration::from_secs(10);
        while spent(std::process::id()).unwrap() == before {
            assert!(Instant::now() < end, "ten busy seconds are not accounted");
        }
        assert!(spent(u32::MAX).is_err());
    }
}
