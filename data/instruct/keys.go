package instruct

// A use is what becomes of a key of a record.
type use uint8

const (
	used     use = iota // it is read
	given               // the chat template sees it, in messages of role and content
	harmless            // it says nothing of what is learnt
	refused             // it changes what is learnt in a way that is not done here
)

// A keyRule says what becomes of a key. One that is refused, or given where there is no message to give it with, may still
// have a value that changes nothing: null, an empty text, list or object, or one of neutral.
type keyRule struct {
	use     use
	neutral []string // JSON values
	why     string   // what a used one is, why a refused one is refused
}

// Why keys of one kind are what they are.
const (
	words    = "what is asked and said, by the shape of the record"
	counts   = "0 or false: the loss does not count it; 1 or true: it does"
	provided = "the chat template reads it; one that does not is refused"
	origin   = "where the record comes from"

	preference = "the record is preference data, which DPO, KTO and the like learn from (to learn the good answers alone write them as completion or as messages)"
	masks      = "what the loss counts is said by weight or train in messages, and by data.instruct.loss"
	tokenized  = "tokens and labels are made here, from messages"
	textOnly   = "only text is read"
	inMessage  = "it belongs into a message: write the conversation as messages"
	thoughts   = "write the answer as a message with reasoning_content"
	variables  = "write it into chat_template_kwargs"
	options    = "the options are not written into the question: write them there"
)

// recordKeys are the keys of records that are known. Which of the used ones count depends on the shape; a key that a shape
// does not read and one that is not here are named in Stats.Unread. README.md has the table.
var recordKeys = map[string]keyRule{
	"messages":      {why: "messages of role and content"},
	"conversations": {why: "messages of from and value, or of role and content"},
	"conversation":  {why: "messages of from and value or of role and content, or turns of input and output"},
	"instances":     {why: "pairs of input and output, a conversation each"},
	"instruction":   {why: words}, "input": {why: words}, "output": {why: words}, "context": {why: words},
	"prompt": {why: words}, "completion": {why: words}, "response": {why: words}, "question": {why: words}, "answer": {why: words},
	"query": {why: words}, "problem": {why: words}, "solution": {why: words}, "inputs": {why: words}, "targets": {why: words},
	"user": {why: words}, "assistant": {why: words},
	"system":               {why: "the system prompt"},
	"system_prompt":        {why: "the system prompt"},
	"system_message":       {why: "the system prompt"},
	"history":              {why: "the turns before a question and its answer"},
	"tools":                {why: provided},
	"documents":            {why: provided},
	"chat_template_kwargs": {why: "variables of the chat template"},
	"weight":               {why: counts}, "loss_weight": {why: counts}, "sample_weight": {why: counts},
	"train": {why: counts}, "training": {why: counts}, "loss": {why: counts},

	"id": {use: harmless}, "_id": {use: harmless}, "idx": {use: harmless}, "index": {use: harmless}, "uuid": {use: harmless}, "hash": {use: harmless},
	"conversation_id": {use: harmless}, "conversation_hash": {use: harmless}, "prompt_id": {use: harmless}, "task_id": {use: harmless},
	"source": {use: harmless}, "dataset": {use: harmless}, "data_source": {use: harmless}, "origin": {use: harmless}, "url": {use: harmless},
	"license": {use: harmless}, "category": {use: harmless}, "topic": {use: harmless}, "tags": {use: harmless}, "difficulty": {use: harmless},
	"subset": {use: harmless}, "split": {use: harmless}, "language": {use: harmless}, "lang": {use: harmless}, "model": {use: harmless},
	"model_name": {use: harmless}, "name": {use: harmless}, "title": {use: harmless}, "metadata": {use: harmless}, "meta": {use: harmless},
	"timestamp": {use: harmless}, "created_at": {use: harmless}, "date": {use: harmless}, "turn": {use: harmless}, "num_turns": {use: harmless},
	"is_classification": {use: harmless}, "parallel_tool_calls": {use: harmless}, "__index_level_0__": {use: harmless},

	"chosen": {use: refused, why: preference}, "rejected": {use: refused, why: preference}, "chosen_response": {use: refused, why: preference},
	"rejected_response": {use: refused, why: preference}, "rejected_messages": {use: refused, why: preference},
	"preferred_output": {use: refused, why: preference}, "non_preferred_output": {use: refused, why: preference},
	"kto_tag": {use: refused, neutral: yes, why: preference}, "label": {use: refused, neutral: yes, why: preference},
	"completions": {use: refused, why: "answers to choose from or judged by step are for reward models and GRPO"},

	"weights": {use: refused, why: masks}, "loss_weights": {use: refused, why: masks}, "token_weights": {use: refused, why: masks},
	"loss_scale": {use: refused, neutral: one, why: masks}, "loss_mask": {use: refused, why: masks}, "loss_masks": {use: refused, why: masks},
	"mask": {use: refused, why: masks}, "label_mask": {use: refused, why: masks}, "completion_mask": {use: refused, why: masks},
	"assistant_mask": {use: refused, why: masks}, "assistant_masks": {use: refused, why: masks}, "prompt_mask": {use: refused, why: masks},
	"train_on_input": {use: refused, neutral: no, why: masks}, "train_on_inputs": {use: refused, neutral: no, why: masks},
	"train_on_prompt": {use: refused, neutral: no, why: masks}, "mask_prompt": {use: refused, neutral: yes, why: masks},
	"mask_inputs": {use: refused, neutral: yes, why: masks}, "mask_history": {use: refused, neutral: no, why: masks},
	"completion_only_loss": {use: refused, neutral: yes, why: masks}, "assistant_only_loss": {use: refused, neutral: yes, why: masks},
	"roles_to_train": {use: refused, neutral: []string{`["assistant"]`, `["gpt"]`}, why: masks}, "train_on_eos": {use: refused, why: masks},
	"train_on_eot": {use: refused, why: masks}, "train_detail": {use: refused, why: masks}, "training_detail": {use: refused, why: masks},
	"output_with_loss": {use: refused, neutral: yes, why: masks}, "segments": {use: refused, why: tokenized},

	"input_ids": {use: refused, why: tokenized}, "token_ids": {use: refused, why: tokenized}, "labels": {use: refused, why: tokenized},
	"attention_mask": {use: refused, why: tokenized}, "position_ids": {use: refused, why: tokenized},

	"functions":     {use: refused, why: "descriptions of functions are not given to the chat template; leave the key out, or write them as tools"},
	"function_call": {use: refused, why: inMessage}, "tool_calls": {use: refused, why: inMessage},
	"reasoning": {use: refused, why: thoughts}, "reasoning_content": {use: refused, why: thoughts}, "thinking": {use: refused, neutral: no, why: thoughts},
	"thought": {use: refused, why: thoughts}, "thoughts": {use: refused, why: thoughts}, "cot": {use: refused, why: thoughts},
	"chain_of_thought": {use: refused, why: thoughts},
	"choices":          {use: refused, why: options}, "options": {use: refused, why: options},
	"images": {use: refused, why: textOnly}, "image": {use: refused, why: textOnly}, "videos": {use: refused, why: textOnly},
	"video": {use: refused, why: textOnly}, "audios": {use: refused, why: textOnly}, "audio": {use: refused, why: textOnly},
	"chat_template":          {use: refused, why: "one template serves all records: set data.instruct.template"},
	"enable_thinking":        {use: refused, why: variables},
	"add_generation_prompt":  {use: refused, neutral: no, why: "a record has its answer; leave the key out"},
	"continue_final_message": {use: refused, neutral: no, why: "answers are whole"},
}

// Why keys of messages are what they are.
const (
	// shareGPT is why a message of from and value is refused that has what chat templates read.
	shareGPT   = "only messages of role and content have it; write the conversation so"
	allOrNone  = "the loss counts a message or it does not"
	xtuner     = "a turn of XTuner's"
	said       = "what is said: a text, or a list of parts of type text"
	thoughtAs  = "write it as reasoning_content"
	beside     = "write it beside the messages"
	whoIsIt    = "who speaks"
	modelSaid  = "a refusal is learnt as content only"
	wholeTexts = "answers are whole"
)

// messageKeys are the keys of messages that are known.
var messageKeys = map[string]keyRule{
	"role": {why: whoIsIt}, "from": {why: whoIsIt}, "content": {why: said}, "value": {why: said}, "text": {why: said},
	"weight": {why: counts}, "loss_weight": {why: counts}, "train": {why: counts}, "training": {why: counts}, "loss": {why: counts},
	"input": {why: xtuner}, "output": {why: xtuner}, "system": {why: xtuner}, "output_with_loss": {why: xtuner + "; " + counts},

	"id": {use: harmless}, "message_id": {use: harmless}, "parent_id": {use: harmless}, "uuid": {use: harmless}, "index": {use: harmless},
	"timestamp": {use: harmless}, "created_at": {use: harmless}, "date": {use: harmless}, "model": {use: harmless}, "language": {use: harmless},
	"lang": {use: harmless}, "metadata": {use: harmless}, "toxic": {use: harmless}, "redacted": {use: harmless},

	"tool_calls":        {use: given, why: shareGPT},
	"tool_call_id":      {use: given, why: shareGPT},
	"name":              {use: given, why: shareGPT},
	"reasoning_content": {use: given, why: shareGPT},
	"reasoning":         {use: given, why: shareGPT},
	"thinking":          {use: given, why: shareGPT},

	"function_call": {use: refused, why: "no chat template reads it; write it as tool_calls"},
	"functions":     {use: refused, why: beside + ", as tools"}, "tools": {use: refused, why: beside}, "documents": {use: refused, why: beside},
	"thought": {use: refused, why: thoughtAs}, "thoughts": {use: refused, why: thoughtAs}, "cot": {use: refused, why: thoughtAs},
	"train_detail": {use: refused, why: allOrNone}, "training_detail": {use: refused, why: allOrNone},
	"loss_scale": {use: refused, neutral: one, why: allOrNone}, "loss_mask": {use: refused, why: allOrNone}, "mask": {use: refused, why: allOrNone},
	"token_weights": {use: refused, why: allOrNone}, "weights": {use: refused, why: allOrNone},
	"prefix":         {use: refused, neutral: no, why: wholeTexts},
	"need_eos_token": {use: refused, neutral: yes, why: wholeTexts}, "sep": {use: refused, why: wholeTexts},
	"refusal": {use: refused, why: modelSaid},
	"chosen":  {use: refused, why: preference}, "rejected": {use: refused, why: preference}, "label": {use: refused, neutral: yes, why: preference},
	"audio": {use: refused, why: textOnly}, "audios": {use: refused, why: textOnly}, "image": {use: refused, why: textOnly},
	"images": {use: refused, why: textOnly}, "video": {use: refused, why: textOnly}, "videos": {use: refused, why: textOnly},
}

// partKeys are the keys of parts of a content that are known.
var partKeys = map[string]keyRule{
	"type": {why: "text; others are refused"}, "text": {why: "what is said"}, "value": {why: "what is said"},
	"index": {use: harmless}, "id": {use: harmless}, "cache_control": {use: harmless}, "annotations": {use: harmless},
	"weight": {use: refused, neutral: one, why: allOrNone}, "train": {use: refused, neutral: yes, why: allOrNone},
	"loss_weight": {use: refused, neutral: one, why: allOrNone}, "loss": {use: refused, neutral: yes, why: allOrNone},
}

// Values that say what holds anyway.
var (
	one = []string{"1", "1.0"}
	yes = []string{"true", "1"}
	no  = []string{"false", "0"}
)
