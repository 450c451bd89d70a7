// Package save writes the state of a run as checkpoints and reads it back. A
// checkpoint is a directory that Hugging Face loads, with the trainer's state
// beside it:
//
//	model.safetensors, config.json, …   of a model that is alone; of several each has a folder, called after its role
//	adapter_model.safetensors,          in place of the two, of a low-rank adapter to a base that lies elsewhere: the
//	adapter_config.json                 adapter in peft's format
//	adapter/                            with lora.merge: the adapter, which the weights have merged
//	optimizer.safetensors               the states of the optimizers, by their names
//	trainer_state.json                  [State]: where the run stands
//
// In reading order: [State]; [Share] says which tensors a rank writes; [Saver] saves
// while the step waits, or asynchronously from a copy; [Restore] reads.
//
// Which rank writes a tensor is of no consequence to those who read, so a run goes
// on with any number of ranks.
package save
