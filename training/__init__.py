"""How the bundled model was made: problem generator, tokenizer, training, evaluation, export."""
