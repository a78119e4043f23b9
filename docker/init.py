"""Runs once before the services start: both schemas, the bucket, the first user. Safe to repeat."""

import os
import subprocess
import sys

import boto3
from botocore.exceptions import ClientError


def run(*command: str) -> None:
    """Run a command; its failure is ours."""
    finished = subprocess.run(command, check=False)  # noqa: S603 (commands written below)
    if finished.returncode:
        # Not the whole command: one of them carries a password.
        sys.exit(f"{' '.join(command[:3])} failed with status {finished.returncode}.")


def create_bucket(name: str) -> None:
    """Create the registry's bucket where it is not there yet."""
    client = boto3.client("s3", endpoint_url=os.environ["DAYBREAK_S3_ENDPOINT_URL"])
    try:
        client.create_bucket(Bucket=name)
    except ClientError as error:
        if error.response["Error"]["Code"] not in {
            "BucketAlreadyOwnedByYou",
            "BucketAlreadyExists",
        }:
            raise


def main() -> None:
    """In the order in which one step needs the other."""
    run("airflow", "db", "migrate")
    run("daybreak", "warehouse", "migrate")
    create_bucket(os.environ["REGISTRY_BUCKET"])
    user = os.environ["AIRFLOW_ADMIN_USER"]
    # A user who exists already keeps the password it has.
    run(
        *("airflow", "users", "create", "--role", "Admin"),
        *("--username", user, "--password", os.environ["AIRFLOW_ADMIN_PASSWORD"]),
        *("--email", os.environ["AIRFLOW_ADMIN_EMAIL"]),
        *("--firstname", user, "--lastname", "-"),
    )


if __name__ == "__main__":
    main()
