//! The datapath against the kernel: publish, take over, grow, attach, remove. Every test has a pin root and a
//! network namespace of its own.
#![expect(clippy::unwrap_used, reason = "a test that panics says where")]

mod attach;
mod gate;
mod life;
mod pins;
mod stress;
mod trial;

use std::process::ExitCode;

use cmgate_tests::needs::Need;
use cmgate_tests::suite::Suite;

const NEEDS: &[Need] = &[Need::Root, Need::Bpffs, Need::Program("ip")];

fn main() -> ExitCode {
    let tests: &[(&str, fn())] = &[
        ("life::a_published_generation_judges", life::a_published_generation_judges),
        (
            "life::slots_take_turns_and_the_former_two_stay_whole",
            life::slots_take_turns_and_the_former_two_stay_whole,
        ),
        ("life::what_is_refused_never_rules", life::what_is_refused_never_rules),
        ("life::another_agent_takes_over_what_it_finds", life::another_agent_takes_over_what_it_finds),
        (
            "life::flow_ids_keep_their_counters_whatever_their_number",
            life::flow_ids_keep_their_counters_whatever_their_number,
        ),
        (
            "life::a_larger_image_grows_the_tables_under_traffic",
            life::a_larger_image_grows_the_tables_under_traffic,
        ),
        ("life::another_capacity_carries_the_flows_over", life::another_capacity_carries_the_flows_over),
        (
            "life::ports_are_noted_while_their_flows_can_live",
            life::ports_are_noted_while_their_flows_can_live,
        ),
        ("pins::another_layout_is_refused_with_words", pins::another_layout_is_refused_with_words),
        (
            "pins::a_map_of_another_shape_is_refused_with_words",
            pins::a_map_of_another_shape_is_refused_with_words,
        ),
        (
            "pins::a_root_that_is_no_place_for_pins_is_refused",
            pins::a_root_that_is_no_place_for_pins_is_refused,
        ),
        ("pins::directories_of_others_are_refused", pins::directories_of_others_are_refused),
        ("pins::removal_leaves_nothing", pins::removal_leaves_nothing),
        (
            "attach::nothing_is_attached_before_something_rules",
            attach::nothing_is_attached_before_something_rules,
        ),
        (
            "attach::counters_are_the_interface_s_and_the_flow_s",
            attach::counters_are_the_interface_s_and_the_flow_s,
        ),
        (
            "attach::a_name_with_a_dot_attaches_and_a_mode_is_kept",
            attach::a_name_with_a_dot_attaches_and_a_mode_is_kept,
        ),
        (
            "attach::an_interface_that_is_down_or_missing_or_taken",
            attach::an_interface_that_is_down_or_missing_or_taken,
        ),
        ("attach::an_interface_that_went_and_came_back", attach::an_interface_that_went_and_came_back),
        ("attach::drops_are_told", attach::drops_are_told),
        (
            "trial::a_trial_runs_out_without_an_agent_and_no_earlier",
            trial::a_trial_runs_out_without_an_agent_and_no_earlier,
        ),
        (
            "trial::what_is_confirmed_stays_and_what_is_late_does_not",
            trial::what_is_confirmed_stays_and_what_is_late_does_not,
        ),
        (
            "trial::a_confirmation_at_the_last_moment_is_one_or_is_none",
            trial::a_confirmation_at_the_last_moment_is_one_or_is_none,
        ),
        (
            "trial::another_of_the_same_takes_its_place_and_keeps_its_deadline",
            trial::another_of_the_same_takes_its_place_and_keeps_its_deadline,
        ),
        (
            "trial::tables_that_grew_for_a_trial_still_hold_the_former_generation",
            trial::tables_that_grew_for_a_trial_still_hold_the_former_generation,
        ),
        (
            "stress::every_frame_is_judged_while_everything_changes",
            stress::every_frame_is_judged_while_everything_changes,
        ),
    ];
    let add = |suite: Suite, (name, body): &(&str, fn())| {
        let body = *body;
        suite.test(name, NEEDS, move || {
            body();
            Ok(())
        })
    };
    tests.iter().fold(Suite::new(), add).run()
}
