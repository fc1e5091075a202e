"""What follows a reply: facts learnt, suggestions for what to say next, summaries of long talks."""
