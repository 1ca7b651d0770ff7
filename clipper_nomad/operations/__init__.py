"""Operations: one module per task of the admin library, on applications, models, replicas and the cluster.

Imported by connection, which is their facade, and by cli. They import management and the managers' contract;
they never import the facade, nor a manager.
"""
