data "aws_partition" "this" {}

locals {
  bucket_arn = "arn:${data.aws_partition.this.partition}:s3:::${var.evidence.bucket}"
  root       = "s3://${var.evidence.bucket}/${var.evidence.prefix}"
  results    = "${var.evidence.prefix}athena-results/"

  # written by make docs from history/schema.py
  tables = jsondecode(file("${path.module}/columns.json"))

  # one text for Athena and for DuckDB (dyno query); its first line says what it answers
  queries = {
    for name in fileset(path.module, "queries/*.sql") :
    trimsuffix(basename(name), ".sql") => file("${path.module}/${name}")
  }
}

resource "aws_glue_catalog_database" "this" {
  name        = replace(var.name_prefix, "-", "_")
  description = "What runs of Lambda Dyno on main found."
}

# store_env is where a row lies, which only main's role can write; env is what the row says of itself.
resource "aws_glue_catalog_table" "this" {
  for_each = local.tables

  name          = each.key
  database_name = aws_glue_catalog_database.this.name
  description   = each.value.description
  table_type    = "EXTERNAL_TABLE"

  parameters = {
    EXTERNAL                      = "TRUE"
    classification                = "parquet"
    "projection.enabled"          = "true"
    "projection.store_env.type"   = "enum"
    "projection.store_env.values" = join(",", sort(var.store_envs))
    "storage.location.template"   = "${local.root}$${store_env}/main/rows/v1/${each.key}/"
  }

  partition_keys {
    name    = "store_env"
    type    = "string"
    comment = "Environment that the store keeps the row under."
  }

  storage_descriptor {
    location      = local.root # of the whole; the template says where each partition is
    input_format  = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"

    ser_de_info {
      name                  = "parquet"
      serialization_library = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
      parameters            = { "serialization.format" = "1" }
    }

    dynamic "columns" {
      for_each = each.value.columns

      content {
        name    = columns.value.name
        type    = columns.value.type
        comment = columns.value.comment
      }
    }
  }
}

resource "aws_athena_workgroup" "this" {
  name          = var.name_prefix
  description   = "Queries over the evidence store."
  force_destroy = true # what it keeps is who asked what, and the named queries are made here

  configuration {
    bytes_scanned_cutoff_per_query     = var.most_scanned_bytes
    enforce_workgroup_configuration    = true
    publish_cloudwatch_metrics_enabled = true

    engine_version {
      selected_engine_version = "Athena engine version 3"
    }

    result_configuration {
      output_location = "s3://${var.evidence.bucket}/${local.results}"

      encryption_configuration {
        encryption_option = var.evidence.kms_key_arn == null ? "SSE_S3" : "SSE_KMS"
        kms_key_arn       = var.evidence.kms_key_arn
      }
    }
  }
}

resource "aws_athena_named_query" "this" {
  for_each = local.queries

  name        = each.key
  description = trimprefix(split("\n", each.value)[0], "-- ")
  workgroup   = aws_athena_workgroup.this.id
  database    = aws_glue_catalog_database.this.name
  query       = each.value
}

# What somebody needs who asks, and nothing else: main's rows, and results of this workgroup.
data "aws_iam_policy_document" "reader" {
  statement {
    sid = "Ask"
    actions = [
      "athena:BatchGetNamedQuery",
      "athena:GetNamedQuery",
      "athena:GetQueryExecution",
      "athena:GetQueryResults",
      "athena:GetWorkGroup",
      "athena:ListNamedQueries",
      "athena:StartQueryExecution",
      "athena:StopQueryExecution",
    ]
    resources = [aws_athena_workgroup.this.arn]
  }

  statement {
    sid     = "Tables"
    actions = ["glue:GetDatabase", "glue:GetPartitions", "glue:GetTable", "glue:GetTables"]
    resources = concat(
      [
        replace(aws_glue_catalog_database.this.arn, "/:database/.*$/", ":catalog"),
        aws_glue_catalog_database.this.arn,
      ],
      [for table in aws_glue_catalog_table.this : table.arn],
    )
  }

  statement {
    sid     = "Rows"
    actions = ["s3:GetObject"]
    resources = [
      for name in sort(var.store_envs) : "${local.bucket_arn}/${var.evidence.prefix}${name}/main/rows/v1/*"
    ]
  }

  statement {
    sid       = "ListRowsAndResults"
    actions   = ["s3:ListBucket"]
    resources = [local.bucket_arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values = concat(
        [for name in sort(var.store_envs) : "${var.evidence.prefix}${name}/main/rows/v1/*"],
        ["${local.results}*"],
      )
    }
  }

  statement {
    sid       = "Bucket"
    actions   = ["s3:GetBucketLocation"]
    resources = [local.bucket_arn]
  }

  statement {
    sid = "Results"
    actions = [
      "s3:AbortMultipartUpload",
      "s3:GetObject",
      "s3:ListMultipartUploadParts",
      "s3:PutObject",
    ]
    resources = ["${local.bucket_arn}/${local.results}*"]
  }

  dynamic "statement" {
    for_each = var.evidence.kms_key_arn[*]

    content {
      sid       = "Key"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [statement.value]
    }
  }
}
