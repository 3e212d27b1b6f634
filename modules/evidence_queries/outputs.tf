output "database_name" {
  description = "Name of the Glue database, with a table for each of the history's."
  value       = aws_glue_catalog_database.this.name

  depends_on = [aws_glue_catalog_table.this]
}

output "named_query_ids" {
  description = "Ids of the named queries in Athena, by name."
  value       = { for name, query in aws_athena_named_query.this : name => query.id }
}

output "reader_policy_json" {
  description = "IAM policy of whoever asks: the workgroup, the tables, main's rows and the results, by their ARNs."
  value       = data.aws_iam_policy_document.reader.json
}

output "results_location" {
  description = "Where Athena writes results, as s3://BUCKET/PREFIX."
  value       = "s3://${var.evidence.bucket}/${local.results}"
}

output "workgroup_name" {
  description = "Name of the Athena workgroup that queries run in."
  value       = aws_athena_workgroup.this.name
}
