//! `cmgate top` in a terminal, beside a gate that stands.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::Path,
    process::{Command, ExitCode},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use cmgate_tests::{
    client,
    needs::LAB_WITH_TERMINAL,
    process::Process,
    scene::{self, Scene},
    suite::Suite,
    topology::{Hosted, SERVER, STRANGER},
};
use nix::{
    sys::{
        signal::{Signal, kill},
        stat::Mode,
    },
    unistd::{Pid, mkfifo},
};

const LIMIT: Duration = Duration::from_secs(20);
const SILENCE: Duration = Duration::from_millis(300);

fn main() -> ExitCode {
    Suite::new()
        .test("it_shows_the_newest_drop_and_ends_by_a_key", LAB_WITH_TERMINAL, it_shows_the_newest_drop)
        .test("it_outlives_the_agent_and_gives_the_terminal_back", LAB_WITH_TERMINAL, it_outlives_the_agent)
        .test("every_signal_gives_the_terminal_back", LAB_WITH_TERMINAL, every_signal)
        .test("a_panic_gives_the_terminal_back", LAB_WITH_TERMINAL, a_panic)
        .test("it_ends_with_its_terminal", LAB_WITH_TERMINAL, it_ends_with_its_terminal)
        .test("without_a_terminal_it_says_so", LAB_WITH_TERMINAL, without_a_terminal_it_says_so)
        .run()
}

/// `cmgate top` in a terminal of its own, 80 columns wide and 24 lines high, and its keys.
struct Screen {
    process: Process,
    keys: File,
}

impl Screen {
    fn open(scene: &Scene<Hosted>, name: &str) -> Result<Self> {
        let top = shell(&scene.install.command(&scene.lab.host, "top")?)?;
        Self::running(&top, &scene.install.path(name))
    }

    /// A command in the place of `cmgate top`; `fifo` is a pipe to make.
    fn running(top: &str, fifo: &Path) -> Result<Self> {
        mkfifo(fifo, Mode::S_IRUSR | Mode::S_IWUSR).context("cannot make a pipe for keys")?;
        // For reading, too: so it is open at once, and never ends.
        let keys = OpenOptions::new().read(true).write(true).open(fifo)?;
        // The shell says what became of the terminal.
        let inside = format!("stty rows 24 cols 80; sh -c 'echo pid=$$; exec {top}'; echo ended=$?; stty -a");
        let mut command = Command::new("sh");
        let script =
            format!("exec script --quiet --flush --command \"$INSIDE\" /dev/null < {}", quoted(fifo)?);
        command.args(["-c", &script]).env("INSIDE", inside).env("TERM", "xterm-256color");
        Ok(Self { process: Process::start("cmgate top", command)?, keys })
    }

    fn shows(&self, text: &str) -> Result<()> {
        self.process.wait_for(text, LIMIT)
    }

    fn press(&mut self, keys: &str) -> Result<()> {
        self.keys.write_all(keys.as_bytes()).context("cannot press a key")
    }

    fn pid(&self) -> Result<Pid> {
        let log = self.process.log();
        let pid = log.split("pid=").nth(1).and_then(|rest| rest.split_whitespace().next());
        Ok(Pid::from_raw(pid.context("no pid")?.parse()?))
    }

    /// Waits until the shell has the terminal again, and looks at it.
    fn ended_well(self) -> Result<()> {
        self.ended_with(0).map(drop)
    }

    /// The same with an exit code. Gives what the terminal said until then.
    fn ended_with(mut self, code: i32) -> Result<String> {
        self.shows("ended=")?;
        let ended = self.process.wait(LIMIT)?;
        let log = self.process.log();
        let end = format!("ended={code}");
        ensure!(ended.success() && log.contains(&end), "{ended}: {log:?}");
        let (screen, after) = log.rsplit_once(&end).context("no end")?;
        ensure!(screen.contains("\u{1b}[?1049h"), "it never took the screen: {log:?}");
        let left = screen.rfind("\u{1b}[?1049l").context("it did not leave its screen")?;
        ensure!(left > screen.rfind("\u{1b}[?1049h").unwrap_or_default(), "{log:?}");
        ensure!(screen.rfind("\u{1b}[?25h") > screen.rfind("\u{1b}[?25l"), "the cursor is hidden: {log:?}");
        for mode in ["icanon", "echo", "isig", "opost"] {
            let set = after.split([' ', ';', '\n', '\r']).any(|word| word == mode);
            ensure!(set, "{mode} is not set: {after}");
        }
        Ok(screen.to_owned())
    }
}

fn quoted(path: &Path) -> Result<&str> {
    let text = path.to_str().context("the path is text")?;
    ensure!(text.chars().all(|sign| sign.is_ascii_alphanumeric() || "/._-".contains(sign)), "{text}");
    Ok(text)
}

/// A command as a shell takes it. None of its words needs quotes.
fn shell(command: &Command) -> Result<String> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Result<Vec<&str>> = words.map(|word| word.to_str().context("a word is no text")).collect();
    let words = words?;
    let plain = |sign: char| sign.is_ascii_alphanumeric() || "/._-=:".contains(sign);
    ensure!(words.iter().all(|word| word.chars().all(plain)), "{words:?}");
    Ok(words.join(" "))
}

fn knock(scene: &Scene<Hosted>, port: u16) -> Result<()> {
    client::connect(&scene.lab.stranger, (SERVER.v4, port).into(), SILENCE)?.must_be_silent("the stranger")
}

fn it_shows_the_newest_drop() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let _agent = scene.start()?;
    let mut screen = Screen::open(&scene, "keys")?;
    screen.shows("selftest ok")?;
    screen.shows("mode enforce")?;
    knock(&scene, 445)?;
    screen.shows(&STRANGER.v4.to_string())?;
    screen.shows("tcp/445")?;
    // In the pane of drops each has its hint.
    screen.press("\t")?;
    screen.shows("looks")?;
    screen.press("q")?;
    screen.ended_well()
}

fn it_outlives_the_agent() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let agent = scene.start()?;
    let screen = Screen::open(&scene, "keys")?;
    screen.shows("selftest ok")?;
    agent.kill()?;
    screen.shows("trying")?;
    let _agent = scene.start()?;
    knock(&scene, scene::NOTIFICATION)?;
    screen.shows("tcp/10123")?;
    kill(screen.pid()?, Signal::SIGTERM).context("cannot end cmgate top")?;
    screen.ended_well()?;

    let mut screen = Screen::open(&scene, "more-keys")?;
    screen.shows("selftest ok")?;
    // Ctrl-C, as a terminal in raw mode hands it on.
    screen.press("\u{3}")?;
    screen.ended_well()
}

fn every_signal() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let _agent = scene.start()?;
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let screen = Screen::open(&scene, &format!("keys-{signal}"))?;
        screen.shows("selftest ok")?;
        kill(screen.pid()?, signal)?;
        screen.ended_well().with_context(|| signal.to_string())?;
    }
    Ok(())
}

fn a_panic() -> Result<()> {
    const PANICKED: i32 = 101;
    let directory = tempfile::tempdir()?;
    let screen = Screen::running(env!("CARGO_BIN_EXE_panic"), &directory.path().join("keys"))?;
    let said = screen.ended_with(PANICKED)?;
    // What it says of itself stands where it can be read: behind the screen.
    let words = said.rfind("on purpose").with_context(|| format!("no word of the panic: {said:?}"))?;
    ensure!(said[..words].contains("\u{1b}[?1049l"), "{said:?}");
    Ok(())
}

fn it_ends_with_its_terminal() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let _agent = scene.start()?;
    let mut screen = Screen::open(&scene, "keys")?;
    screen.shows("selftest ok")?;
    let top = Path::new("/proc").join(screen.pid()?.to_string());
    ensure!(top.exists(), "there is no such process");
    screen.process.kill()?;
    let begun = std::time::Instant::now();
    while top.exists() {
        ensure!(begun.elapsed() < LIMIT, "it lives on without a terminal");
        std::thread::yield_now();
    }
    Ok(())
}

fn without_a_terminal_it_says_so() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let output = scene.install.command(&scene.lab.host, "top")?.output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.code() == Some(1) && said.contains("top needs a terminal"), "{said}");
    ensure!(output.stdout.is_empty());
    Ok(())
}
