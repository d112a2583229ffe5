"""What several tests share: drawn pictures, fakes, model repositories, live servers."""
