"""What customers cost: spend, cost per lead, CAC, payback, CLV:CAC, magic number."""
