// Package device chooses the back end that a run computes on, and tells what the
// machine has.
//
// [Find] reads a name such as auto, cpu or cuda:1 and says which [Device] that is;
// [Open] opens its back end. [Device.Target] is what plans for it look like, and
// [Plan] and [OfCard] give devices to plan for that are not here.
//
// [Device.Measure] gives the peaks that forecasts and benches compare with
// ([Machine]), [Device.Memory] what a run may use ([Limits]: the machine's, its
// control group's, or a card's). [Examine] looks at the whole machine and gives
// what a person should know and do ([Finding]).
//
// A name that is unknown, a device that is not there and one that cannot be opened
// are an [Error]: a fault of the configuration. The functions are safe for
// concurrent use; those that measure want an idle machine.
//
// This package and the commands are the only ones that know every back end.
package device
