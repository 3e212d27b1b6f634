# AWS's own default, and too little: the first run finds a better one. What `dyno apply` writes into
# tuned.auto.tfvars.json comes before it.
memory_mb = 128
