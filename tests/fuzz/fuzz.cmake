# What the model reads from outside: clients' bodies, messages of the logs, text forms.
orderly_fuzz(json USES orderly_base)
orderly_fuzz(text USES orderly_base)
orderly_fuzz(input USES orderly_order)
orderly_fuzz(command USES orderly_order)
orderly_fuzz(event USES orderly_order)
