"""Does a model know what comes, and what does its latent hold?"""
