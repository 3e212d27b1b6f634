terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

# For auditors: a key of one's own, two environments below a prefix, and a year in which nobody
# deletes anything.
module "evidence_store" {
  source = "../.."

  bucket_name = "acme-evidence"
  prefix      = "shop/"
  kms_key_arn = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

  object_lock = {
    mode = "COMPLIANCE"
    days = 365
  }

  end_days = {
    athena_results = 365
    other          = 365
    pr             = 365
    runs           = 3650
  }

  environments = {
    prod = {
      main      = { tune = "arn:aws:iam::111122223333:role/ci/shop-tune" }
      retunings = { retune = "arn:aws:iam::111122223333:role/shop-retune" }
    }

    test = {
      other = { laptop = "arn:aws:iam::111122223333:role/developer" }
      pr    = { gate = "arn:aws:iam::111122223333:role/shop-gate" }
    }
  }

  readers = {
    role_arns = { auditor = "arn:aws:iam::111122223333:role/auditor" }
    with_pr   = true
  }
}
