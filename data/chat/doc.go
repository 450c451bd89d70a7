// Package chat turns conversations into the text that a model reads, by chat templates.
//
// Reading order:
//
//   - [Message] and [Conversation] are what is said.
//   - [Template] is a program in Jinja that writes a conversation out: the one that a model brings in its
//     tokenizer_config.json, or a shipped one, see [Named]. Training, chat and serving render with the same Template.
//   - [Template.Spans] finds in the rendered text what the assistant says, for any template.
//
// Templates see what they see in transformers' apply_chat_template: messages, add_generation_prompt, tools, documents,
// bos_token, eos_token and other special tokens where the tokenizer has them, raise_exception, strftime_now. The engine is package
// example.com/gotrain/data/chat/jinja, which renders as jinja2 does in transformers or refuses with the place.
//
// # Hostile templates
//
// A template comes with a model and is code of a stranger. It reads no file and sees nothing but the conversation; its
// steps and the memory that it takes are bounded by the length of the conversation.
//
// Errors name the template, the line and a cure. Templates are immutable and safe for concurrent use.
package chat
