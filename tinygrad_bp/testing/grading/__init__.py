"""What `check_equivalent` is made of: answers, the truth, and the mistakes that people make."""
