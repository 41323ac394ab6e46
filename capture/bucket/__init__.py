"""One bucket of S3 and what lies in it under a prefix. Only `client.py` knows boto3."""
