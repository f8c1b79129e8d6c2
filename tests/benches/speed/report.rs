//! What was measured, as a table: each line when it is known, all of it at the end.

use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, Result};
use waymark_testkit::Engine;

use crate::load::Load;

/// All lines so far.
pub struct Report {
    subject: &'static str,
    lines: Vec<Line>,
}

struct Line {
    subject: &'static str,
    what: &'static str,
    value: String,
    /// The target in words, and whether it was met.
    target: Option<(String, bool)>,
}

impl Report {
    /// An empty report; prints what machine this is.
    pub fn new() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let (cpu, memory, kernel) = (read("/proc/cpuinfo"), read("/proc/meminfo"), read("/proc/sys/kernel/osrelease"));
        let field = |text: &str, key: &str| {
            let line = text.lines().find(|line| line.starts_with(key)).and_then(|line| line.split_once(':'));
            line.map_or("unknown".to_owned(), |(_, value)| value.trim().to_owned())
        };
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        println!(
            "{cores} cores of {}, {} of memory, Linux {}",
            field(&cpu, "model name"),
            field(&memory, "MemTotal"),
            kernel.trim()
        );
        if cfg!(debug_assertions) {
            println!("NOT OPTIMISED: these figures say nothing; run `make bench`");
        }
        Self { subject: "", lines: Vec::new() }
    }

    /// Lines from now on are about `engine`.
    pub fn engine(&mut self, engine: Engine, version: &str) {
        self.section(match engine {
            Engine::Sqlite => "SQLite",
            Engine::Postgres => "PostgreSQL",
        });
        println!("version {version}");
    }

    /// Lines from now on are about `subject`.
    pub fn section(&mut self, subject: &'static str) {
        self.subject = subject;
        println!("\n{subject}");
    }

    /// A rate with its latencies, which must reach `least` a second.
    pub fn load(&mut self, what: &'static str, load: &Load, least: Option<f64>) {
        let target = least.map(|least| (format!("at least {least:.0}/s"), load.rate >= least));
        let cost = load.processor.map(|processor| format!(", {:.3} ms of processor", ms(processor)));
        let (p50, p99, cost) = (ms(load.p50), ms(load.p99), cost.unwrap_or_default());
        self.add(what, format!("{:.0}/s, p50 {p50:.2} ms, p99 {p99:.2} ms{cost}", load.rate), target);
    }

    /// A rate.
    pub fn rate(&mut self, what: &'static str, rate: f64) {
        self.add(what, format!("{rate:.0}/s"), None);
    }

    /// A rate, which must reach `least` a second.
    pub fn rate_of_at_least(&mut self, what: &'static str, rate: f64, least: f64) {
        self.add(what, format!("{rate:.0}/s"), Some((format!("at least {least:.0}/s"), rate >= least)));
    }

    /// How much of a bare peer's rate is left; must reach `least`.
    pub fn ratio(&mut self, what: &'static str, rate: f64, peer: f64, least: f64) {
        let ratio = rate / peer;
        self.add(what, format!("{ratio:.2} of it"), Some((format!("at least {least}"), ratio >= least)));
    }

    /// The same of two loads, and beside it the ratio of what they cost, which others on the machine change less.
    pub fn beside(&mut self, what: &'static str, load: &Load, peer: &Load, least: f64) {
        let ratio = load.rate / peer.rate;
        let cost = load.processor.zip(peer.processor);
        let cost = cost.map(|(own, its)| format!(", {:.2} by processor time", its.as_secs_f64() / own.as_secs_f64()));
        let value = format!("{ratio:.2} of it{}", cost.unwrap_or_default());
        self.add(what, value, Some((format!("at least {least:.1}"), ratio >= least)));
    }

    /// Latencies at a given rate of calls, unless the service could not keep up with it, which misses the target.
    pub fn latency(&mut self, what: &'static str, load: &anyhow::Result<Load>) {
        match load {
            Ok(load) => self.add(what, format!("p50 {:.2} ms, p99 {:.2} ms", ms(load.p50), ms(load.p99)), None),
            Err(error) => self.add(what, format!("{error:#}"), Some(("keep up".to_owned(), false))),
        }
    }

    /// What something takes at a tenth of the size and at the whole; the quotient of the medians is `most` at most.
    pub fn growth(&mut self, what: &'static str, times: [Vec<Duration>; 2], most: Option<f64>) {
        let [tenth, whole] = times.map(|mut times| {
            times.sort_unstable();
            let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
            (at(0.5), at(0.99))
        });
        let quotient = whole.0.as_secs_f64() / tenth.0.as_secs_f64();
        let [p50, p99] = [ms(whole.0), ms(whole.1)];
        let value = format!("p50 {p50:.2} ms, p99 {p99:.2} ms, {quotient:.2} of the {:.2} ms at a tenth", ms(tenth.0));
        self.add(what, value, most.map(|most| (format!("at most {most:.1}"), quotient <= most)));
    }

    /// What a call takes, beside what it is made of and nothing around it, by turns; its median is to be below `most`.
    pub fn by_turns(&mut self, what: &'static str, [call, bare]: [Load; 2], most: Duration) {
        let of =
            |load: &Load| load.processor.map_or(String::new(), |time| format!(" ({:.0} of a processor)", ms(time)));
        let ratio = call.p50.as_secs_f64() / bare.p50.as_secs_f64();
        let [p50, p99] = [ms(call.p50), ms(call.p99)];
        let (own, its) = (of(&call), of(&bare));
        let value =
            format!("p50 {p50:.2} ms{own}, p99 {p99:.2} ms, {ratio:.1} of the {:.2} ms{its} of bare", ms(bare.p50));
        self.add(what, value, Some((format!("less than {:.0} ms", ms(most)), call.p50 < most)));
    }

    /// A call that was refused, which misses every target.
    pub fn refused(&mut self, what: &'static str, why: String) {
        self.add(what, why, Some(("answered".to_owned(), false)));
    }

    /// A share of one core.
    pub fn share(&mut self, what: &'static str, share: f64) {
        self.add(what, format!("{:.2} % of a core", share * 100.0), None);
    }

    /// How much of something there is beside the same under other conditions; `most` at most.
    pub fn at_most(&mut self, what: &'static str, ratio: f64, most: f64) {
        self.add(what, format!("{ratio:.2} of it"), Some((format!("at most {most:.1}"), ratio <= most)));
    }

    /// Memory, which must stay below `most`.
    pub fn memory(&mut self, what: &'static str, mib: f64, most: Option<f64>) {
        self.add(what, format!("{mib:.0} MiB"), most.map(|most| (format!("less than {most:.0} MiB"), mib < most)));
    }

    fn add(&mut self, what: &'static str, value: String, target: Option<(String, bool)>) {
        let line = Line { subject: self.subject, what, value, target };
        println!("{line}");
        self.lines.push(line);
    }

    /// Whether every target was met.
    pub fn met(&self) -> bool {
        self.lines.iter().all(|line| line.target.as_ref().is_none_or(|(_, met)| *met))
    }
}

/// The memory of this process, in MiB.
pub fn resident() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("the kernel tells it")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse::<f64>()? / 1024.0)
}

fn ms(time: std::time::Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<11} {:<52} {:<40}", self.subject, self.what, self.value)?;
        match &self.target {
            Some((target, true)) => write!(f, " {target}: met"),
            Some((target, false)) => write!(f, " {target}: MISSED"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}
