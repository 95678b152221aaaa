//! Takes the terminal as `cmgate top` does, and panics: for the test that it is given back.

fn main() -> anyhow::Result<()> {
    let mut screen = cmgate::top::run::Screen::take()?;
    screen.draw(|_| {})?;
    panic!("on purpose");
}
