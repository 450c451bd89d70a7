package config

import "strings"

// counterpart is the key of ours that does what a key of another trainer does.
type counterpart struct {
	ours string // its path
	how  string // what else there is to know; "" for nothing
}

// Remarks of several keys.
const (
	oneRank    = "sequences of one rank in a micro-batch"
	whole      = "a step has train.batch × train.accumulate sequences"
	byLauncher = "the launcher tells how many ranks there are"
	bits       = "bfloat16, int8, nf4 or nf4-double"
	oneOfThree = "float32, tf32 or bfloat16"
	answers    = "assistant, last or all"
	listOfTwo  = "a list of both"
	inSteps    = "in steps"
)

// counterparts are the commonest keys of axolotl, TRL and transformers, litgpt and torchtitan, the
// last two with the section that they stand in.
var counterparts = map[string]counterpart{
	// axolotl
	"base_model": {"base", "a directory; gotrain import makes one"}, "sequence_len": {"train.context", ""}, "micro_batch_size": {"train.batch", oneRank},
	"gradient_accumulation_steps": {"train.accumulate", ""}, "datasets": {"data.train", "a list of files; data.format tells their kind"}, "test_datasets": {"data.validation_paths", ""},
	"val_set_size": {"data.validation", "a share"}, "dataset_prepared_path": {"data.cache_dir", ""}, "output_dir": {"run.dir", ""}, "num_epochs": {"train.epochs", ""},
	"learning_rate": {"optimizer.lr", ""}, "lr_scheduler": {"optimizer.schedule", ""}, "warmup_steps": {"optimizer.warmup", ""}, "weight_decay": {"optimizer.weight_decay", ""},
	"max_grad_norm": {"optimizer.clip", ""}, "gradient_clipping": {"optimizer.clip", ""}, "sample_packing": {"data.instruct.packing", ""}, "pad_to_sequence_len": {"data.instruct.packing", ""},
	"train_on_inputs": {"data.instruct.loss", answers}, "chat_template": {"data.instruct.template", ""}, "special_tokens": {"tokenizer.add_special_tokens", "a list"},
	"lora_r": {"lora.rank", ""}, "lora_alpha": {"lora.alpha", ""}, "lora_dropout": {"lora.dropout", ""}, "lora_target_modules": {"lora.targets", ""}, "lora_target_linear": {"lora.targets", "[all-linear]"},
	"lora_model_dir": {"adapter", ""}, "peft_use_rslora": {"lora.rslora", ""}, "peft_use_dora": {"lora.dora", ""}, "load_in_4bit": {"lora.base", bits}, "load_in_8bit": {"lora.base", bits}, "eval_steps": {"train.eval_every", inSteps},
	"evals_per_epoch": {"train.eval_every", inSteps}, "saves_per_epoch": {"train.save_every", inSteps}, "save_steps": {"train.save_every", inSteps}, "early_stopping_patience": {"train.patience", "evaluations"},
	"gradient_checkpointing": {"train.recompute", "true or false"}, "rl": {"recipe.kind", ""}, "tokenizer_config": {"tokenizer.path", ""}, "unfrozen_parameters": {"train.freeze", "patterns of what is not trained"},

	// TRL and transformers
	"model_name_or_path": {"base", "a directory; gotrain import makes one"}, "dataset_name": {"data.train", "a list of files"}, "dataset_text_field": {"data.text_key", ""},
	"per_device_train_batch_size": {"train.batch", oneRank}, "per_device_eval_batch_size": {"train.batch", oneRank}, "num_train_epochs": {"train.epochs", ""}, "max_steps": {"train.steps", ""},
	"max_length": {"train.context", ""}, "max_seq_length": {"train.context", ""}, "packing": {"data.instruct.packing", ""}, "assistant_only_loss": {"data.instruct.loss", answers},
	"completion_only_loss": {"data.instruct.loss", answers}, "chat_template_path": {"data.instruct.template", ""}, "lr_scheduler_type": {"optimizer.schedule", ""},
	"warmup_ratio": {"optimizer.warmup", inSteps}, "optim": {"optimizer.kind", ""}, "adam_beta1": {"optimizer.betas", listOfTwo}, "adam_beta2": {"optimizer.betas", listOfTwo},
	"adam_epsilon": {"optimizer.eps", ""}, "label_smoothing_factor": {"train.label_smoothing", ""}, "logging_steps": {"train.log_every", ""}, "eval_strategy": {"train.eval_every", inSteps},
	"save_strategy": {"train.save_every", inSteps}, "save_total_limit": {"train.keep", ""}, "bf16": {"precision", oneOfThree}, "fp16": {"precision", oneOfThree}, "tf32": {"precision", oneOfThree},
	"dataloader_num_workers": {"data.workers", ""}, "ddp_timeout": {"cluster.timeout_s", ""}, "use_peft": {"lora.rank", "above 0"}, "beta": {"recipe.beta", ""}, "loss_type": {"recipe.loss", ""},
	"num_generations": {"recipe.samples", ""}, "max_completion_length": {"recipe.max_tokens", ""}, "num_iterations": {"recipe.updates", ""}, "reward_funcs": {"recipe.rewards", "rules"},
	"scale_rewards": {"recipe.scale_rewards", ""}, "mask_truncated_completions": {"recipe.mask_truncated", ""}, "desirable_weight": {"recipe.desirable_weight", ""},
	"undesirable_weight": {"recipe.undesirable_weight", ""}, "simpo_gamma": {"recipe.gamma", ""}, "center_rewards_coefficient": {"recipe.center", ""}, "reference_free": {"recipe.reference_free", ""},
	"attn_implementation": {"cuda.attention", "attention is tiled on every device"}, "use_cpu": {"device", ""},

	// litgpt
	"checkpoint_dir": {"base", "a directory"}, "initial_checkpoint_dir": {"base", "a directory"}, "out_dir": {"run.dir", ""}, "tokenizer_dir": {"tokenizer.path", ""}, "quantize": {"lora.base", bits},
	"devices": {"cluster.engine", byLauncher}, "num_nodes": {"cluster.engine", byLauncher}, "model_name": {"model.family", "with its sizes"}, "train.global_batch_size": {"train.accumulate", whole},
	"train.micro_batch_size": {"train.batch", oneRank}, "train.lr_warmup_steps": {"optimizer.warmup", ""}, "train.max_steps": {"train.steps", ""}, "train.max_tokens": {"train.steps", "tokens follow from steps"},
	"train.max_seq_length": {"train.context", ""}, "train.save_interval": {"train.save_every", ""}, "train.log_interval": {"train.log_every", ""}, "train.min_lr": {"optimizer.min_lr", "a share of lr"},
	"train.max_norm": {"optimizer.clip", ""}, "train.tie_embeddings": {"model.tied", ""}, "eval.interval": {"train.eval_every", ""}, "eval.max_iters": {"train.eval_batches", ""},
	"eval.max_new_tokens": {"train.sample_tokens", ""}, "optimizer.class_path": {"optimizer.kind", ""},

	// torchtitan
	"job.dump_folder": {"run.dir", ""}, "training.local_batch_size": {"train.batch", oneRank}, "training.batch_size": {"train.batch", oneRank}, "training.global_batch_size": {"train.accumulate", whole},
	"training.seq_len": {"train.context", ""}, "training.steps": {"train.steps", ""}, "training.max_norm": {"optimizer.clip", ""}, "training.dataset": {"data.train", "a list of files"},
	"training.dataset_path": {"data.train", "a list of files"}, "training.seed": {"run.seed", ""}, "training.mixed_precision_param": {"precision", oneOfThree}, "optimizer.name": {"optimizer.kind", ""},
	"optimizer.beta1": {"optimizer.betas", listOfTwo}, "optimizer.beta2": {"optimizer.betas", listOfTwo}, "lr_scheduler.warmup_steps": {"optimizer.warmup", ""},
	"lr_scheduler.decay_ratio": {"optimizer.decay", "of schedule wsd"}, "lr_scheduler.decay_type": {"optimizer.schedule", ""}, "lr_scheduler.min_lr_factor": {"optimizer.min_lr", ""},
	"checkpoint.interval": {"train.save_every", ""}, "checkpoint.keep_latest_k": {"train.keep", ""}, "checkpoint.async_mode": {"train.save", "auto, async or sync"}, "checkpoint.initial_load_path": {"base", ""},
	"metrics.log_freq": {"train.log_every", ""}, "activation_checkpoint.mode": {"train.recompute", "true or false"}, "parallelism.data_parallel_shard_degree": {"cluster.zero", "1 shards the optimizer's state"},
	"comm.init_timeout_seconds": {"cluster.timeout_s", ""}, "model.name": {"model.family", ""}, "model.tokenizer_path": {"tokenizer.path", ""}, "validation.freq": {"train.eval_every", ""},
	"validation.steps": {"train.eval_batches", ""},
}

// counterpartOf says what another trainer's key at a path is here, "" for one that is not known.
func counterpartOf(path, key string) string {
	c, ok := counterparts[join(path, key)]
	if !ok {
		c, ok = counterparts[key]
	}
	if !ok {
		return ""
	}
	section, last := cutLast(c.ours)
	switch {
	case c.how != "":
		return "here it is " + c.ours + " (" + c.how + ")"
	case section == path:
		return `did you mean "` + last + `"?`
	}
	return "here it is " + c.ours
}

// cutLast parts a path into that of the section and the last key.
func cutLast(path string) (section, key string) {
	i := strings.LastIndexByte(path, '.')
	return path[:max(0, i)], path[i+1:]
}
