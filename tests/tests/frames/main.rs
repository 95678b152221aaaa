//! Named frames, each judged by the engine in memory and by the programs in the kernel: verdict, reason, flow and every
//! counter.

use std::process::ExitCode;
fn main() -> ExitCode {
    let t = std::time::Instant::now();
    let mut k = cmgate_tests::gate::Kernel::load(4096).expect("load");
    println!("load {:?}", t.elapsed());
    use cmgate_tests::gate::Backend;
    let t = std::time::Instant::now();
    for _ in 0..10 {
        k.counts().expect("c");
    }
    println!("10 counts {:?}", t.elapsed());
    let t = std::time::Instant::now();
    for _ in 0..100 {
        k.run(cmgate::datapath::Hook::Ingress, 1, &[0; 60]).expect("c");
    }
    println!("100 runs {:?}", t.elapsed());
    println!("{}", cmgate_tests::gate::Counts::default().differences(&k.counts().expect("c")));
    ExitCode::SUCCESS
}
