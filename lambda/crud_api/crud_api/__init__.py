"""CRUD API on one DynamoDB table: POST /DynamoDBManager, /items, and direct invocation."""
