"""A painter of lesions: trained, judged by how real it looks, and put to use on a dataset."""
