"""Who answers: an OpenAI-compatible endpoint, the embedded model, a recording, a script, or your
own code.
"""
