from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('mail', '0001_initial'),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='message',
            name='mail_message_kept',
        ),
        migrations.AddField(
            model_name='message',
            name='erase_at',
            field=models.DateTimeField(null=True, verbose_name='content kept until'),
        ),
        migrations.AlterField(
            model_name='message',
            name='key',
            field=models.CharField(max_length=200, null=True, verbose_name='key'),
        ),
        migrations.AlterField(
            model_name='message',
            name='kind',
            field=models.CharField(max_length=100, verbose_name='kind'),
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(condition=models.Q(('state__in', ['failed', 'uncertain', 'cancelled'])), fields=['state', 'id'], name='mail_delivery_unsent'),
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(condition=models.Q(('state__in', ['failed', 'uncertain'])), fields=['state', 'settled_at'], name='mail_delivery_lately'),
        ),
        migrations.AddIndex(
            model_name='message',
            index=models.Index(fields=['kind', 'id'], name='mail_message_kind'),
        ),
        migrations.AddIndex(
            model_name='message',
            index=models.Index(condition=models.Q(('lane', 'bulk')), fields=['id'], name='mail_message_bulk'),
        ),
        migrations.AddIndex(
            model_name='message',
            index=models.Index(condition=models.Q(('paused_at__isnull', False), ('cancelled_at__isnull', False), _connector='OR'), fields=['id'], name='mail_message_stopped'),
        ),
        migrations.AddIndex(
            model_name='message',
            index=models.Index(condition=models.Q(('erase_at__isnull', False), ('erased_at', None)), fields=['erase_at'], name='mail_message_kept'),
        ),
        migrations.AddConstraint(
            model_name='message',
            constraint=models.UniqueConstraint(fields=('key',), name='mail_message_key'),
        ),
    ]
