"""What is HTTP and no answer: who calls, the body, the JSON and its errors."""
