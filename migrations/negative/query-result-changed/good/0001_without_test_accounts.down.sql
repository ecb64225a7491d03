DROP VIEW real_active_users;
