"""Sample data: sellers, products, terms and subscribers, some of whose mails fail on purpose.

May import the services and models of the apps.
"""
